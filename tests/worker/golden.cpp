#include "tests/worker/golden.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>

#include "worker/transport/self_transport.h"
#include "worker/weights/loader.h"
#include "worker/weights/storage.h"

namespace trireme::test {
namespace {

std::string read_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("can't open " + file.string());
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

at::ScalarType scalar_type(const std::string& name) {
  static const std::map<std::string, at::ScalarType> kTypes = {
      {"F32", at::kFloat}, {"BF16", at::kBFloat16}, {"F16", at::kHalf}, {"I64", at::kLong}, {"U8", at::kByte}};
  return kTypes.at(name);
}

/// As the worker runs: results of more threads differ in the last bits, and tests share the machine.
class OneThread : public testing::Environment {
  void SetUp() override { at::set_num_threads(1); }
};
const testing::Environment* const kOneThread = testing::AddGlobalTestEnvironment(new OneThread);

}  // namespace

std::filesystem::path source_folder() { return TRIREME_SOURCE_FOLDER; }
std::filesystem::path golden_folder() { return source_folder() / "tests" / "golden"; }

nlohmann::json read_json(const std::filesystem::path& file) { return nlohmann::json::parse(read_file(file)); }

std::map<std::string, at::Tensor> read_tensors(const std::filesystem::path& safetensors) {
  const std::string bytes = read_file(safetensors);
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  const nlohmann::json header = nlohmann::json::parse(bytes.substr(8, header_bytes));
  std::map<std::string, at::Tensor> result;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    at::Tensor tensor = at::empty(entry.at("shape").get<std::vector<std::int64_t>>(),
                                  scalar_type(entry.at("dtype").get<std::string>()));
    const auto begin = entry.at("data_offsets").at(0).get<std::uint64_t>();
    std::memcpy(tensor.data_ptr(), bytes.data() + 8 + header_bytes + begin, tensor.nbytes());
    result.emplace(name, tensor);
  }
  return result;
}

void load_part(const ModelFiles& files, const std::string& part, const Parameters& parameters, at::ScalarType dtype) {
  PartParameters wanted;
  for (const auto& [other, unused] : files.parts) wanted[other].skip("", "not looked at by this test");
  wanted[part] = parameters;
  SelfTransport transport(at::kCPU);
  load_weights(files, wanted, dtype, at::kCPU, transport, [] {});
}

void fill(const Parameters& parameters, const std::map<std::string, at::Tensor>& tensors, at::ScalarType dtype) {
  allocate_parameters({{"", parameters}}, dtype, at::kCPU);
  for (const Parameters::Want& want : parameters.wants()) {
    const auto found = tensors.find(want.name);
    ASSERT_NE(found, tensors.end()) << want.name;
    ASSERT_EQ(found->second.sizes(), at::IntArrayRef(want.shape)) << want.name;
    filled_part(want).copy_(found->second.narrow(0, want.first_row, want.rows));
  }
}

double absolute_error(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  const double error = (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
  return std::isfinite(error) ? error : std::numeric_limits<double>::infinity();
}

double relative_error(const at::Tensor& a, const at::Tensor& b) {
  return absolute_error(a, b) / b.to(at::kDouble).abs().max().item<double>();
}

}  // namespace trireme::test
