#include "common/family_keys.h"

#include <algorithm>

#include "common/errors.h"

namespace trireme {

void refuse_foreign_keys(const Job& job, const SamplingDefaults& defaults) {
  const auto refuse = [&](const std::string& key, const std::string& fact) {
    throw ConfigError(job.file.string() + ": " + key + ": " + fact);
  };
  const auto foreign = [&](const char* name, bool is_set, const char* owners) {
    if (is_set)
      refuse(std::string("sampling.") + name, std::string("only models that ") + owners + " have it; use auto");
  };
  const Job::Sampling& given = job.sampling;
  if (defaults.makes == Makes::text && job.memory.offload == "text_encoder") {
    refuse("memory.offload", "only models that make pictures have a text encoder; use layers or none");
  }
  if (job.model.dtype == "fp8" && job.memory.offload == "layers") {
    refuse("model.dtype",
           "fp8 and memory.offload: layers: layers on the host can't be held as float8; use text_encoder");
  }
  if (defaults.makes == Makes::text) {
    if (job.model.dtype == "fp8") refuse("model.dtype", "fp8 is for models that make pictures; use bfloat16");
    foreign("steps", given.steps.has_value(), "make pictures");
    foreign("guidance", given.guidance.has_value(), "make pictures");
    foreign("shift", given.shift.has_value(), "make pictures");
    foreign("sampler", given.sampler.has_value(), "make pictures");
    if (given.images_per_prompt != 1)
      refuse("sampling.images_per_prompt", "only models that make pictures have it; use 1");
    return;
  }
  foreign("temperature", given.temperature.has_value(), "write text");
  foreign("top_k", given.top_k.has_value(), "write text");
  foreign("top_p", given.top_p.has_value(), "write text");
  foreign("repetition_penalty", given.repetition_penalty.has_value(), "write text");
  foreign("system_prompt", given.system_prompt && !defaults.system_prompt, "take a system prompt");
  const auto& samplers = defaults.samplers;
  if (given.sampler && std::find(samplers.begin(), samplers.end(), *given.sampler) == samplers.end()) {
    refuse("sampling.sampler", *given.sampler + " is not available for this model; use " + samplers.front());
  }
  if (job.dispatch.batch.value_or(1) > 1) {
    if (!defaults.batches) refuse("dispatch.batch", "this model makes one picture at a time; use auto or 1");
    if (job.parallel.stages > 1 || job.parallel.guidance > 1) {
      refuse("dispatch.batch",
             "several pictures at a time want parallel.stages and parallel.guidance 1; use auto or 1");
    }
  }
}

}  // namespace trireme
