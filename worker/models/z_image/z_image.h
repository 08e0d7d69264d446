#pragma once
// Z-Image and Z-Image-Turbo: text to picture. Qwen3 encodes the prompt, a transformer turns noise into latents step by
// step, AutoencoderKL decodes them. float32 or bfloat16, the same code on CPU and GPU. Latents stay float32 and are
// cast for each forward. Ref: diffusers pipeline_z_image.py.

#include <memory>

#include "worker/models/list.h"

namespace trireme::z_image {

/// Registers what the three parts want. Throws Error(bad_data) for configs or a tokenizer that don't fit.
std::unique_ptr<Model> make_z_image(const ModelSettings& settings, const ModelFiles& files, PartParameters& wanted);

}  // namespace trireme::z_image
