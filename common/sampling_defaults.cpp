#include "common/sampling_defaults.h"

#include "common/files.h"
#include "common/json.h"
#include "common/utf8.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uint64_t kMaxConfigBytes = 16 << 20;

json read_config(const fs::path& file) { return parse_json(read_file(file, kMaxConfigBytes), file.string()); }

/// The flow-match Euler schedule with a fixed shift is what diffusion/ runs; any other would make other pictures.
double read_shift(const fs::path& file) {
  const json config = read_config(file);
  const JsonObject scheduler(config, file.string());
  constexpr const char* kClass = "FlowMatchEulerDiscreteScheduler";
  if (const std::string name = scheduler.get_string_or("_class_name", kClass); name != kClass) {
    scheduler.fail("_class_name", printable(name) + " is not available yet; only " + kClass + " is");
  }
  for (const char* key : {"use_dynamic_shifting", "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas",
                          "invert_sigmas", "stochastic_sampling"}) {
    if (scheduler.get_bool_or(key, false)) scheduler.fail(key, "true is not available yet");
  }
  if (scheduler.has("shift_terminal")) scheduler.fail("shift_terminal", "not available yet");
  if (scheduler.get_int_or("num_train_timesteps", 1000, 1, 1'000'000) != 1000) {
    scheduler.fail("num_train_timesteps", "only 1000 is available");
  }
  const double shift = scheduler.get_double_or("shift", 1.0, 0, kMaxShift);
  if (shift == 0) scheduler.fail("shift", "0 makes no schedule");
  return shift;
}

int read_size_multiple(const fs::path& folder) {
  const fs::path vae_file = folder / "vae" / "config.json", transformer_file = folder / "transformer" / "config.json";
  const json vae_config = read_config(vae_file), transformer_config = read_config(transformer_file);
  const JsonObject vae(vae_config, vae_file.string()), transformer(transformer_config, transformer_file.string());

  const std::vector<std::int64_t> patch{2}, frame_patch{1};
  const auto only = [&](const char* key, const std::vector<std::int64_t>& value) {
    if (transformer.has(key) && transformer.get_ints(key, 1, 1024) != value) {
      transformer.fail(key, "only [" + std::to_string(value[0]) + "] is available");
    }
  };
  only("all_patch_size", patch);
  only("all_f_patch_size", frame_patch);
  if (transformer.has("siglip_feat_dim")) transformer.fail("siglip_feat_dim", "the Omni variant is not available yet");

  constexpr std::size_t kMaxBlocks = 8;
  const auto channels = vae.get_ints("block_out_channels", 1, 65'536, kMaxBlocks);
  if (channels.empty()) vae.fail("block_out_channels", "empty");
  return static_cast<int>(patch[0]) << (channels.size() - 1);
}

}  // namespace

SamplingDefaults z_image_defaults(const fs::path& folder) {
  constexpr double kTurboShift = 3;
  SamplingDefaults defaults;
  defaults.shift = read_shift(folder / "scheduler" / "scheduler_config.json");
  const bool turbo = defaults.shift == kTurboShift;
  defaults.steps = turbo ? 8 : 28;
  defaults.guidance = turbo ? 0 : 4;
  defaults.batches = true;
  defaults.size_multiple = read_size_multiple(folder);
  return defaults;
}

SamplingDefaults newbie_image_defaults(const fs::path& folder) {
  const fs::path scheduler = folder / "scheduler" / "scheduler_config.json";
  const fs::path file = folder / "transformer" / "config.json";
  const json config = read_config(file);
  const JsonObject transformer(config, file.string());
  if (transformer.get_int_or("patch_size", 2, 1, 1024) != 2) transformer.fail("patch_size", "only 2 is available");
  SamplingDefaults defaults;
  defaults.shift = fs::exists(scheduler) ? read_shift(scheduler) : 6;
  defaults.steps = 28;
  defaults.guidance = 5;
  defaults.no_guidance = 1;
  defaults.size_multiple = read_size_multiple(folder);
  defaults.samplers = {"euler", "midpoint"};
  defaults.system_prompt = "You are an assistant designed to generate high-quality images based on user prompts.";
  defaults.xml_prompts = true;
  return defaults;
}

SamplingDefaults qwen2_5_vl_defaults(const fs::path& folder) {
  const fs::path file = folder / "generation_config.json";
  const json config = fs::exists(file) ? read_config(file) : json::object();
  const JsonObject object(config, file.string());
  for (const auto& [key, off] : {std::pair("num_beams", 1.0),
                                 {"no_repeat_ngram_size", 0},
                                 {"min_new_tokens", 0},
                                 {"min_p", 0},
                                 {"typical_p", 1},
                                 {"epsilon_cutoff", 0},
                                 {"eta_cutoff", 0}}) {
    if (object.get_double_or(key, off, 0, 1e9) != off) object.fail(key, "not available yet; remove it");
  }
  SamplingDefaults defaults;
  defaults.makes = Makes::text;
  const double temperature = object.get_double_or("temperature", 1, 0, kMaxTemperature);
  defaults.temperature = object.get_bool_or("do_sample", false) ? temperature : 0;
  defaults.top_k = static_cast<int>(object.get_int_or("top_k", 50, 0, kMaxTopK));
  defaults.top_p = object.get_double_or("top_p", 1, 0, kMaxTopP);
  defaults.repetition_penalty = object.get_double_or("repetition_penalty", 1, 0, kMaxRepetitionPenalty);
  if (defaults.top_p == 0) object.fail("top_p", "0 leaves no token; give more than 0");
  if (defaults.repetition_penalty == 0) object.fail("repetition_penalty", "0 divides by zero; 1 is none");
  return defaults;
}

}  // namespace trireme
