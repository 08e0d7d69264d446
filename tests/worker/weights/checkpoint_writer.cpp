#include "tests/worker/weights/checkpoint_writer.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

namespace trireme::test {
namespace {

std::string dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat: return "F32";
    case at::kBFloat16: return "BF16";
    case at::kHalf: return "F16";
    default: return "F64";
  }
}

void write_text(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& file, const NamedTensors& tensors) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor dense = tensor.contiguous();
    const std::size_t begin = data.size();
    data.append(static_cast<const char*>(dense.data_ptr()), dense.nbytes());
    header[name] = {{"dtype", dtype_name(dense.scalar_type())},
                    {"shape", std::vector<std::int64_t>(dense.sizes().begin(), dense.sizes().end())},
                    {"data_offsets", {begin, data.size()}}};
  }
  const std::string json = header.dump();
  const std::uint64_t length = json.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  write_text(file, bytes + json + data);
}

void write_part(const std::filesystem::path& folder, const std::vector<NamedTensors>& shards) {
  if (shards.size() == 1) return write_safetensors(folder / "model.safetensors", shards[0]);
  nlohmann::json map = nlohmann::json::object();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = "model-" + std::to_string(i + 1) + ".safetensors";
    write_safetensors(folder / name, shards[i]);
    for (const auto& [tensor, value] : shards[i]) map[tensor] = name;
  }
  write_text(folder / "model.safetensors.index.json", nlohmann::json{{"weight_map", map}}.dump());
}

void write_checkpoint(const std::filesystem::path& folder, const std::vector<NamedTensors>& transformer) {
  for (const char* part : {"transformer", "text_encoder", "vae"}) write_text(folder / part / "config.json", "{}");
  write_text(folder / "scheduler" / "scheduler_config.json", "{}");
  write_text(folder / "tokenizer" / "tokenizer.json", "{}");
  write_part(folder / "transformer", transformer);
  write_part(folder / "text_encoder", {{}});
  write_part(folder / "vae", {{}});
}

at::Tensor awkward_values(at::IntArrayRef shape, at::ScalarType dtype, std::uint64_t seed) {
  const at::Tensor values = at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed), at::kFloat);
  const float inf = std::numeric_limits<float>::infinity();
  const float special[] = {
      0.0f,        -0.0f,  inf,    -inf,    std::nanf(""), 1.00390625f /* a tie in bfloat16 */,
      1.01171875f, 1e-40f, 1e-45f, 3.4e38f, 65519.0f,      65520.0f /* ties around float16's largest */,
      6.1e-5f};
  float* at = values.data_ptr<float>();
  for (std::int64_t i = 0; i < values.numel() && i < static_cast<std::int64_t>(std::size(special)); ++i)
    at[i] = special[i];
  return values.to(dtype);
}

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.cpu().contiguous(), y = b.cpu().contiguous();
  return x.sizes() == y.sizes() && x.scalar_type() == y.scalar_type() &&
         std::memcmp(x.data_ptr(), y.data_ptr(), x.nbytes()) == 0;
}

}  // namespace trireme::test
