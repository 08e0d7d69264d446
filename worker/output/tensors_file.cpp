#include "worker/output/tensors_file.h"

#include <array>
#include <bit>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/files.h"
#include "common/run_directory.h"
#include "common/sha256.h"
#include "worker/output/sink.h"

namespace trireme {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

struct Entry {
  const std::string* name;
  std::vector<std::int64_t> shape;
  const char* dtype;
  std::span<const std::byte> data;
};

Entry entry_of(const std::string& name, const at::Tensor& tensor) {
  const bool known = tensor.defined() && (tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kLong);
  if (!known || !tensor.is_contiguous() || !tensor.is_cpu()) {
    throw Error(ExitCode::internal, "tensor " + name + " is not a contiguous float32 or int64 tensor in host memory");
  }
  return {&name, tensor.sizes().vec(), tensor.scalar_type() == at::kLong ? "I64" : "F32",
          std::span(static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes())};
}

std::string header_of(const std::vector<Entry>& entries) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  std::size_t offset = 0;
  for (const Entry& entry : entries) {
    json[*entry.name] = {
        {"dtype", entry.dtype}, {"shape", entry.shape}, {"data_offsets", {offset, offset + entry.data.size()}}};
    offset += entry.data.size();
  }
  std::string text = json.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::array<char, 8> length{};
  for (int i = 0; i < 8; ++i) length[i] = static_cast<char>(text.size() >> 8 * i & 0xff);
  return std::string(length.data(), length.size()) + text;
}

class TensorsSink final : public Sink {
 public:
  explicit TensorsSink(const SinkSettings& settings) : directory_(settings.directory) {}
  void write(const Item& item, const Result& result, Written& written) const override {
    written.tensors = write_tensors_file(directory_, RunPaths::tensors_of(item.id), result.tensors);
  }

 private:
  const std::filesystem::path directory_;
};

}  // namespace

FileRecord write_tensors_file(const std::filesystem::path& directory, const std::string& name,
                              const std::map<std::string, at::Tensor>& tensors) {
  std::vector<Entry> entries;
  for (const auto scalar_type : {at::kLong, at::kFloat}) {
    for (const auto& [key, tensor] : tensors) {
      Entry entry = entry_of(key, tensor);
      if (tensor.scalar_type() == scalar_type) entries.push_back(std::move(entry));
    }
  }
  FileRecord record{name, "", 0};
  AtomicFile file(directory / name);
  Sha256 hash;
  const auto append = [&](std::span<const std::byte> bytes) {
    file.append(bytes);
    hash.update(bytes);
    record.bytes += bytes.size();
  };
  const std::string header = header_of(entries);
  append(std::as_bytes(std::span(header)));
  for (const Entry& entry : entries) append(entry.data);
  file.commit(Durability::synced);
  record.sha256 = hash.hex();
  return record;
}

std::unique_ptr<Sink> make_tensors_sink(const SinkSettings& settings) {
  return std::make_unique<TensorsSink>(settings);
}

}  // namespace trireme
