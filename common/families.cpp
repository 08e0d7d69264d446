#include "common/families.h"

#include <algorithm>

#include "common/errors.h"

namespace trireme {
namespace {

// In the order of their paths.
constexpr PartFiles kZImage[] = {{"scheduler", "scheduler/scheduler_config.json", false},
                                 {"text_encoder", "text_encoder/config.json"},
                                 {"transformer", "transformer/config.json"},
                                 {"vae", "vae/config.json"}};
constexpr PartFiles kNewbieReleased[] = {{"clip_model", "clip_model/config.json"},
                                         {"clip_tokenizer", "clip_model/tokenizer.json", false},
                                         {"scheduler", "scheduler/scheduler_config.json", false, true},
                                         {"text_encoder", "text_encoder/config.json"},
                                         {"transformer", "transformer/config.json"},
                                         {"vae", "vae/config.json"}};
constexpr PartFiles kNewbieDiffusers[] = {{"scheduler", "scheduler/scheduler_config.json", false, true},
                                          {"text_encoder", "text_encoder/config.json"},
                                          {"clip_model", "text_encoder_2/config.json"},
                                          {"clip_tokenizer", "tokenizer_2/tokenizer.json", false},
                                          {"transformer", "transformer/config.json"},
                                          {"vae", "vae/config.json"}};
constexpr PartFiles kQwen25Vl[] = {{"model", "config.json"},
                                   {"generation", "generation_config.json", false, true},
                                   {"preprocessor", "preprocessor_config.json", false, true},
                                   {"processor", "processor_config.json", false, true}};

constexpr FamilyFiles kFamilies[] = {{"z_image", kZImage, "tokenizer/tokenizer.json"},
                                     {"newbie_image", kNewbieReleased, "text_encoder/tokenizer.json"},
                                     {"newbie_image", kNewbieDiffusers, "tokenizer/tokenizer.json"},
                                     {"qwen2_5_vl", kQwen25Vl, "tokenizer.json"}};

}  // namespace

const FamilyFiles& files_of(std::string_view family, const std::filesystem::path& folder) {
  const FamilyFiles* first = nullptr;
  for (const FamilyFiles& layout : kFamilies) {
    if (layout.family != family) continue;
    if (first == nullptr) first = &layout;
    std::error_code none;
    const bool complete = std::all_of(layout.parts.begin(), layout.parts.end(), [&](const PartFiles& part) {
      return part.may_miss || std::filesystem::exists(folder / part.config, none);
    });
    if (complete) return layout;
  }
  if (first == nullptr) {
    throw Error(ExitCode::internal, "no list of files for the family " + std::string(family));
  }
  return *first;
}

}  // namespace trireme
