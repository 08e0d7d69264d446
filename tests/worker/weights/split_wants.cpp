#include "tests/worker/weights/split_wants.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/worker/weights/checkpoint_writer.h"
#include "worker/weights/loader.h"

namespace trireme::test {
namespace {

constexpr int kLayers = 5;
constexpr at::ScalarType kStored[] = {at::kFloat, at::kBFloat16, at::kHalf};

at::Tensor layer_weight(int layer) {
  return awkward_values({9, 33}, kStored[layer % 3], static_cast<std::uint64_t>(layer));
}
at::Tensor layer_bias(int layer) {
  return awkward_values({9}, kStored[layer % 3], 100 + static_cast<std::uint64_t>(layer));
}
at::Tensor fused() { return awkward_values({12, 40}, at::kFloat, 7); }

std::string name(int layer, const char* what) { return "layers." + std::to_string(layer) + "." + what; }

/// The files as another host would know them: no path leads anywhere.
void hide(ModelFiles& files) {
  files.folder = "/no/such/folder";
  for (auto& [part_name, part] : files.parts) {
    for (std::string& shard : part.shards) shard = "/no/such/folder/file.safetensors";
  }
}

void load(const ModelFiles& files, Transport& transport, at::Device device, at::ScalarType dtype,
          const LoadSettings& sizes) {
  const int rank = transport.rank(), size = transport.size();
  std::vector<at::Tensor> weights(kLayers), biases(kLayers);
  at::Tensor rows;
  PartParameters wanted;
  Parameters& transformer = wanted["transformer"];
  for (int layer = 0; layer + 1 < kLayers; ++layer) {  // the last layer is nobody's
    if (layer % size == rank) transformer.want(name(layer, "weight"), {9, 33}, &weights[layer]);
    transformer.want(name(layer, "bias"), {9}, &biases[layer]);
  }
  const std::int64_t share = 12 / size;
  transformer.want_rows("qkv", {12, 40}, rank * share, share, &rows);
  transformer.skip(name(kLayers - 1, ""), "not used by the model");

  int progress = 0;
  const LoadReport report = load_weights(
      files, wanted, dtype, device, transport, [&] { ++progress; }, sizes);

  // Cast where the loader casts: a GPU writes NaN in other bits than a CPU.
  const auto expected = [&](const at::Tensor& value) { return value.to(device).to(dtype); };
  std::uint64_t kept = 0, stored = 0;
  for (int layer = 0; layer + 1 < kLayers; ++layer) {
    EXPECT_EQ(weights[layer].defined(), layer % size == rank);
    if (weights[layer].defined()) {
      EXPECT_TRUE(same_bits(weights[layer], expected(layer_weight(layer)))) << layer;
    }
    EXPECT_TRUE(same_bits(biases[layer], expected(layer_bias(layer)))) << layer;
    kept += biases[layer].nbytes() + (weights[layer].defined() ? weights[layer].nbytes() : 0);
    stored += layer_weight(layer).nbytes() + layer_bias(layer).nbytes();
  }
  EXPECT_TRUE(same_bits(rows, expected(fused().narrow(0, rank * share, share))));
  EXPECT_EQ(report.bytes_kept, kept + rows.nbytes());
  if (sizes.everyone_reads) {
    EXPECT_GT(report.bytes_read, 0u);
  } else {
    EXPECT_EQ(report.bytes_read, rank == 0 ? stored + fused().nbytes() : 0);
  }
  EXPECT_LE(report.buffer_bytes, 2 * sizes.chunk + sizes.read);
  EXPECT_GT(progress, 0);
}

}  // namespace

void write_split_checkpoint(const std::filesystem::path& folder) {
  NamedTensors first{{"qkv", fused()}}, second;
  for (int layer = 0; layer < kLayers; ++layer) {
    NamedTensors& shard = layer < 2 ? first : second;
    shard.emplace_back(name(layer, "weight"), layer_weight(layer));
    shard.emplace_back(name(layer, "bias"), layer_bias(layer));
  }
  write_checkpoint(folder, {first, second});
}

void load_for_itself(const ModelFiles& files, Transport& transport, at::Device device) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    for (const LoadSettings& settings : {LoadSettings{256, 256, true}, LoadSettings{1024, 256, true}}) {
      load(files, transport, device, dtype, settings);
    }
  }
}

void load_split_wants(const std::filesystem::path& folder, Transport& transport, at::Device device) {
  ModelFiles files = transport.rank() == 0 ? read_model_files(folder, /*weights=*/true) : ModelFiles();
  files = share_model_files(std::move(files), transport);
  if (transport.rank() != 0) hide(files);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    // A chunk smaller than a tensor, pieces that divide no row, and the sizes of a real job.
    for (const LoadSettings sizes :
         {LoadSettings{256, 256}, LoadSettings{1024, 256}, LoadSettings{512, 4096}, LoadSettings{}}) {
      load(files, transport, device, dtype, sizes);
    }
  }
}

}  // namespace trireme::test
