#pragma once
// Writes small checkpoint folders for tests, byte by byte as the safetensors format says.

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace trireme::test {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// float32, bfloat16, float16 or float64 (which no model file may hold), in the order given.
void write_safetensors(const std::filesystem::path& file, const NamedTensors& tensors);

/// One file for each list, and an index when there are several.
void write_part(const std::filesystem::path& folder, const std::vector<NamedTensors>& shards);

/// A folder in the diffusers layout: configs that say {}, tokenizer.json, text_encoder and vae without tensors.
void write_checkpoint(const std::filesystem::path& folder, const std::vector<NamedTensors>& transformer);

/// Values that make casts interesting: random, ties to even, denormals, both zeros, infinities, NaN.
at::Tensor awkward_values(at::IntArrayRef shape, at::ScalarType dtype, std::uint64_t seed);

/// Equal shape, dtype and bytes: NaNs too.
bool same_bits(const at::Tensor& a, const at::Tensor& b);

}  // namespace trireme::test
