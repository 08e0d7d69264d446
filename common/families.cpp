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
constexpr PartFiles kQwen25Vl[] = {{"model", "config.json"},
                                   {"generation", "generation_config.json", false, true},
                                   {"preprocessor", "preprocessor_config.json", false, true},
                                   {"processor", "processor_config.json", false, true}};

constexpr FamilyFiles kFamilies[] = {{"z_image", kZImage, "tokenizer/tokenizer.json"},
                                     {"qwen2_5_vl", kQwen25Vl, "tokenizer.json"}};

}  // namespace

const FamilyFiles& files_of(std::string_view family) {
  const auto* found = std::find_if(std::begin(kFamilies), std::end(kFamilies),
                                   [&](const FamilyFiles& files) { return files.family == family; });
  if (found == std::end(kFamilies)) {
    throw Error(ExitCode::internal, "no list of files for the family " + std::string(family));
  }
  return *found;
}

}  // namespace trireme
