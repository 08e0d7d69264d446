#pragma once
// What `auto` means for a checkpoint, read from its own files: a function a family. Rank 0 and the launcher. Throws
// Error(bad_data) with file and key for what is damaged or can't be run, Error(input_missing) for files that are not
// there.

#include <filesystem>

#include "common/checkpoint.h"

namespace trireme {

/// scheduler/scheduler_config.json: shift 3 means Turbo; the sizes from vae/config.json.
SamplingDefaults z_image_defaults(const std::filesystem::path& folder);

/// The scheduler's shift where the folder has one, else 6; the rest as the model's authors recommend.
SamplingDefaults newbie_image_defaults(const std::filesystem::path& folder);

/// generation_config.json, as transformers' generate takes it; without the file, its built-in values.
SamplingDefaults qwen2_5_vl_defaults(const std::filesystem::path& folder);

}  // namespace trireme
