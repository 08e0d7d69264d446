#pragma once
// Latents as tokens of 2 x 2: the channel changes fastest within a token. And the features of a step's time. Both are
// shared by the transformers that make pictures. Ref: diffusers transformer_z_image.py, transformer_lumina2.py.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace trireme::nn {

inline constexpr std::int64_t kPatch = 2;              // latents a token is wide and high
inline constexpr std::int64_t kTimeFrequencies = 256;  // features of a time

/// [channels, 2 * height, 2 * width] -> [height * width, 4 * channels]
at::Tensor to_patches(const at::Tensor& latents);
/// And back.
at::Tensor from_patches(const at::Tensor& patches, std::int64_t height, std::int64_t width);

/// times [steps] -> [steps, 256] float32 on the host: cosines, then sines, of the time times `scale`.
at::Tensor time_features(const std::vector<float>& times, double scale);

}  // namespace trireme::nn
