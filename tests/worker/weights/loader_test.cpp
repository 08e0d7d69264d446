#include "worker/weights/loader.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/errors.h"
#include "tests/common/temporary_folder.h"
#include "tests/worker/weights/checkpoint_writer.h"
#include "worker/transport/self_transport.h"

namespace trireme {
namespace {

using namespace test;

const at::Device kCpu(at::kCPU);

/// Loads on one rank without MPI; counts calls of on_progress.
struct Load {
  Load(const ModelFiles& files, const PartParameters& wanted, at::ScalarType dtype, const LoadSettings& sizes = {}) {
    SelfTransport transport(kCpu);
    report = load_weights(
        files, wanted, dtype, kCpu, transport, [this] { ++progress; }, sizes);
  }
  LoadReport report;
  int progress = 0;
};

TEST(LoadWeights, CastsAsTorchDoes) {
  for (const at::ScalarType stored : {at::kFloat, at::kBFloat16, at::kHalf}) {
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      const TemporaryFolder folder;
      const at::Tensor value = awkward_values({31, 7}, stored, 1);
      write_checkpoint(folder.path(), {{{"w", value}}});
      at::Tensor slot;
      PartParameters wanted;
      wanted["transformer"].want("w", {31, 7}, &slot);
      Load(read_model_files(folder.path(), true), wanted, dtype);
      EXPECT_TRUE(same_bits(slot, value.to(dtype))) << stored << " to " << dtype;
    }
  }
}

TEST(LoadWeights, ReadsAllPartsShardsAndShapes) {
  const TemporaryFolder folder;
  const at::Tensor scalar = awkward_values({}, at::kFloat, 1), empty = at::empty({0, 3}), matrix = at::randn({3, 5});
  write_checkpoint(folder.path(), {{{"scalar", scalar}, {"empty", empty}}, {{"matrix", matrix}}});
  write_part(folder / "vae", {{{"matrix", matrix + 1}}});
  at::Tensor slots[4];
  PartParameters wanted;
  wanted["transformer"].want("scalar", {}, &slots[0]);
  wanted["transformer"].want("empty", {0, 3}, &slots[1]);
  wanted["transformer"].want("matrix", {3, 5}, &slots[2]);
  wanted["vae"].want("matrix", {3, 5}, &slots[3]);
  const Load load(read_model_files(folder.path(), true), wanted, at::kFloat);
  EXPECT_TRUE(same_bits(slots[0], scalar));
  EXPECT_TRUE(same_bits(slots[1], empty));
  EXPECT_TRUE(same_bits(slots[2], matrix));
  EXPECT_TRUE(same_bits(slots[3], matrix + 1));
  EXPECT_EQ(load.report.bytes_read, 4u + 60 + 60);
  EXPECT_EQ(load.report.bytes_kept, 4u + 60 + 60);
  EXPECT_GT(load.progress, 0);
}

TEST(LoadWeights, GivesEveryParameterAlignedStorageOfItsOwn) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), {{{"a", at::ones({3})}, {"b", at::ones({5, 1})}}});
  std::vector<at::Tensor> slots(3);
  PartParameters wanted;
  wanted["transformer"].want("a", {3}, &slots[0]);
  wanted["transformer"].want("b", {5, 1}, &slots[1]);
  wanted["transformer"].want_rows("b", {5, 1}, 1, 3, &slots[2]);
  Load(read_model_files(folder.path(), true), wanted, at::kFloat);
  for (const at::Tensor& slot : slots) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(slot.data_ptr()) % 256, 0u);
    EXPECT_EQ(slot.storage().nbytes(), slot.nbytes());
    EXPECT_TRUE(slot.is_contiguous());
  }
}

TEST(LoadWeights, TakesRowsOfFusedTensors) {
  const at::Tensor fused = at::randn({12, 5}), bias = at::randn({12});
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    for (const std::uint64_t piece : {256u, 1024u}) {
      const TemporaryFolder folder;
      write_checkpoint(folder.path(), {{{"qkv", fused}, {"bias", bias}}});
      at::Tensor q, k, v, k_bias;
      PartParameters wanted;
      wanted["transformer"].want_rows("qkv", {12, 5}, 0, 6, &q);
      wanted["transformer"].want_rows("qkv", {12, 5}, 6, 3, &k);
      wanted["transformer"].want_rows("qkv", {12, 5}, 9, 3, &v);
      wanted["transformer"].want_rows("bias", {12}, 6, 3, &k_bias);
      Load(read_model_files(folder.path(), true), wanted, dtype, {.chunk = 256, .read = piece});
      EXPECT_TRUE(same_bits(q, fused.narrow(0, 0, 6).to(dtype)));
      EXPECT_TRUE(same_bits(k, fused.narrow(0, 6, 3).to(dtype)));
      EXPECT_TRUE(same_bits(v, fused.narrow(0, 9, 3).to(dtype)));
      EXPECT_TRUE(same_bits(k_bias, bias.narrow(0, 6, 3).to(dtype)));
    }
  }
}

TEST(LoadWeights, JoinsTensorsInOneSlotAndPadsThemWithZeros) {
  const at::Tensor gate = at::randn({6, 5}), up = at::randn({3, 5}), bias = at::randn({3}), down = at::randn({4, 7});
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    for (const std::uint64_t piece : {256u, 1024u}) {
      const TemporaryFolder folder;
      const at::Tensor large = at::randn({31, 77});  // rows that chunks cut anywhere
      write_checkpoint(folder.path(), {{{"gate", gate}, {"up", up}, {"bias", bias}, {"down", down}, {"large", large}}});
      at::Tensor joined, joined_bias, padded, wide;
      PartParameters wanted;
      wanted["transformer"].want("gate", {6, 5}, &joined, {0, 12});
      wanted["transformer"].want("up", {3, 5}, &joined, {8, 12});
      wanted["transformer"].want("bias", {3}, &joined_bias, {8, 12});
      wanted["transformer"].want("down", {4, 7}, &padded, {0, 4, 8});
      wanted["transformer"].want("large", {31, 77}, &wide, {1, 32, 80});
      Load(read_model_files(folder.path(), true), wanted, dtype, {.chunk = 256, .read = piece});
      const auto zeros = [&](at::IntArrayRef shape) { return at::zeros(shape, dtype); };
      const auto cast = [&](const at::Tensor& t) { return t.to(dtype); };
      EXPECT_TRUE(same_bits(joined, at::cat({cast(gate), zeros({2, 5}), cast(up), zeros({1, 5})})));
      EXPECT_TRUE(same_bits(joined_bias, at::cat({zeros({8}), cast(bias), zeros({1})})));
      EXPECT_TRUE(same_bits(padded, at::cat({cast(down), zeros({4, 1})}, 1)));
      EXPECT_TRUE(same_bits(wide, at::cat({zeros({1, 80}), at::cat({cast(large), zeros({31, 3})}, 1)})));
    }
  }
}

TEST(LoadWeights, FillsTwoSlotsFromOneTensor) {
  const TemporaryFolder folder;
  const at::Tensor value = at::randn({4, 4});
  write_checkpoint(folder.path(), {{{"tied", value}}});
  at::Tensor embedding, head;
  PartParameters wanted;
  wanted["transformer"].want("tied", {4, 4}, &embedding);
  wanted["transformer"].want("tied", {4, 4}, &head);
  Load(read_model_files(folder.path(), true), wanted, at::kFloat);
  EXPECT_TRUE(same_bits(embedding, value));
  EXPECT_TRUE(same_bits(head, value));
}

TEST(LoadWeights, DoesNotReadWhatIsSkipped) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), {{{"norm_final.weight", at::ones({100})}, {"w", at::ones({2})}}});
  at::Tensor slot;
  PartParameters wanted;
  wanted["transformer"].want("w", {2}, &slot);
  wanted["transformer"].skip("norm_final.", "not used by the model");
  EXPECT_EQ(Load(read_model_files(folder.path(), true), wanted, at::kFloat).report.bytes_read, 8u);
}

TEST(LoadWeights, ReadsStraightIntoParametersOfTheFilesDtype) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), {{{"w", at::ones({100, 100})}}});
  at::Tensor slot;
  PartParameters wanted;
  wanted["transformer"].want("w", {100, 100}, &slot);
  EXPECT_EQ(Load(read_model_files(folder.path(), true), wanted, at::kFloat).report.buffer_bytes, 0u);
}

TEST(LoadWeights, HoldsAtMost512MiBBesideTheParameters) {
  const LoadSettings sizes;
  EXPECT_LE(2 * sizes.chunk + sizes.read, std::uint64_t{512} << 20);
}

/// What loading `wanted` says, which must be bad_data.
std::string refusal(const ModelFiles& files, const PartParameters& wanted) {
  try {
    Load(files, wanted, at::kFloat);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_data);
    return error.what();
  }
  ADD_FAILURE() << "nothing thrown";
  return "";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(LoadWeights, NamesEveryTensorThatDoesNotFitBeforeAnyIsRead) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), {{{"wide", at::ones({2, 3})},
                                    {"surplus", at::ones({1})},
                                    {"double", at::ones({2}, at::kDouble)},
                                    {"fine", at::ones({2})}}});
  const ModelFiles files = read_model_files(folder.path(), true);
  std::filesystem::remove_all(folder / "transformer");  // reading would be an error of its own
  at::Tensor slots[5];
  PartParameters wanted;
  wanted["transformer"].want("wide", {3, 2}, &slots[0]);
  wanted["transformer"].want("absent.weight", {1}, &slots[1]);
  wanted["transformer"].want("double", {2}, &slots[2]);
  wanted["transformer"].want("fine", {2}, &slots[3]);
  wanted["vae"].want("decoder.conv_in.weight", {1}, &slots[4]);
  const std::string message = refusal(files, wanted);
  EXPECT_TRUE(contains(message, folder.path().string() + ": 5 tensors")) << message;
  EXPECT_TRUE(contains(message, "transformer/model.safetensors: wide has shape [2, 3], not [3, 2]")) << message;
  EXPECT_TRUE(contains(message, "transformer/model.safetensors: absent.weight is missing")) << message;
  EXPECT_TRUE(contains(message, "double is F64, not F32, BF16 or F16")) << message;
  EXPECT_TRUE(contains(message, "vae/model.safetensors: decoder.conv_in.weight is missing")) << message;
  EXPECT_TRUE(contains(message, "transformer/model.safetensors: surplus is not part of the model")) << message;
  EXPECT_FALSE(contains(message, "fine")) << message;
  EXPECT_FALSE(contains(message, "\n")) << message;
}

TEST(LoadWeights, CountsTheProblemsItDoesNotName) {
  const TemporaryFolder folder;
  NamedTensors tensors;
  for (int i = 0; i < 23; ++i) tensors.emplace_back("surplus." + std::to_string(i), at::ones({1}));
  write_checkpoint(folder.path(), {tensors});
  const std::string message = refusal(read_model_files(folder.path(), true), {});
  EXPECT_TRUE(contains(message, "surplus.19")) << message;
  EXPECT_FALSE(contains(message, "surplus.20")) << message;
  EXPECT_TRUE(contains(message, "and 3 more")) << message;
}

TEST(LoadWeights, ReadsADtypeItDoesNotKnowOnlyWhenAsked) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), {{{"extra", at::ones({2}, at::kDouble)}}});
  PartParameters wanted;
  wanted["transformer"].skip("", "not used by the model");
  EXPECT_EQ(Load(read_model_files(folder.path(), true), wanted, at::kFloat).report.bytes_read, 0u);
}

TEST(LoadWeights, RefusesRowsThatATensorDoesNotHave) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), {{{"w", at::ones({4, 2})}}});
  at::Tensor slot;
  PartParameters wanted;
  wanted["transformer"].want_rows("w", {4, 2}, 3, 2, &slot);
  EXPECT_THROW(Load(read_model_files(folder.path(), true), wanted, at::kFloat), Error);
}

TEST(LoadWeights, SaysWhenAFileWasCutShortMeanwhile) {
  const TemporaryFolder folder;
  write_checkpoint(folder.path(), {{{"a", at::ones({1000})}, {"b", at::ones({1000})}}});
  const ModelFiles files = read_model_files(folder.path(), true);
  std::filesystem::resize_file(folder / "transformer/model.safetensors", 5000);
  at::Tensor slots[2];
  PartParameters wanted;
  wanted["transformer"].want("a", {1000}, &slots[0]);
  wanted["transformer"].want("b", {1000}, &slots[1]);
  EXPECT_THROW(Load(files, wanted, at::kBFloat16), Error);
}

}  // namespace
}  // namespace trireme
