#pragma once
// Golden data of tests/golden: what the reference libraries made of the same weights. Relative errors are relative to
// the largest value of the reference, as one small entry says little.

#include <ATen/core/Tensor.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "worker/weights/model_files.h"
#include "worker/weights/parameters.h"

namespace trireme::test {

std::filesystem::path golden_folder();
/// Root of the source tree.
std::filesystem::path source_folder();
nlohmann::json read_json(const std::filesystem::path& file);
std::map<std::string, at::Tensor> read_tensors(const std::filesystem::path& safetensors);

/// Fills the parameters of one part of a checkpoint and leaves the other parts alone.
void load_part(const ModelFiles& files, const std::string& part, const Parameters& parameters, at::ScalarType dtype);

/// Fills slots from tensors in memory, cast to `dtype`; fails the test for a missing name or wrong shape.
void fill(const Parameters& parameters, const std::map<std::string, at::Tensor>& tensors, at::ScalarType dtype);

/// max |a - b| / max |b|; infinite for different shapes or values that are not numbers.
double relative_error(const at::Tensor& a, const at::Tensor& b);
/// max |a - b|, likewise.
double absolute_error(const at::Tensor& a, const at::Tensor& b);

}  // namespace trireme::test
