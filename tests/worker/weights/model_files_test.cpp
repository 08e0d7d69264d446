#include "worker/weights/model_files.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "tests/common/temporary_folder.h"
#include "tests/worker/weights/checkpoint_writer.h"
#include "worker/transport/strict_transport.h"

namespace trireme {
namespace {

using test::write_checkpoint;

ModelFiles sample(const TemporaryFolder& folder) {
  write_checkpoint(folder.path(),
                   {{{"b", at::ones({2, 3})}, {"a", at::ones({4}, at::kBFloat16)}}, {{"c", at::ones({})}}});
  return read_model_files(folder.path(), /*weights=*/true);
}

ExitCode code_of(const std::function<void()>& action, const std::string& words) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    return error.code();
  }
  return ExitCode::ok;
}

TEST(ModelFiles, ListsTensorsByShardAndOffset) {
  const TemporaryFolder folder;
  const ModelFiles files = sample(folder);
  const ModelPart& part = files.part("transformer");
  ASSERT_EQ(part.tensors.size(), 3u);
  EXPECT_EQ(part.tensors[0].name, "b");
  EXPECT_EQ(part.tensors[1].name, "a");
  EXPECT_EQ(part.tensors[2].name, "c");
  EXPECT_EQ(part.tensors[2].shard, 1);
  EXPECT_EQ(part.find("a")->dtype, "BF16");
  EXPECT_EQ(part.find("b")->shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(part.find("b")->bytes, 24u);
  EXPECT_EQ(part.find("z"), nullptr);
  EXPECT_EQ(part.config, "{}");
  EXPECT_EQ(files.tokenizer_json, "{}");
}

TEST(ModelFiles, NamesTheFileThatIsMissing) {
  for (const char* gone : {"transformer/config.json", "scheduler/scheduler_config.json", "tokenizer/tokenizer.json",
                           "vae/model.safetensors", "transformer/model-2.safetensors"}) {
    const TemporaryFolder folder;
    sample(folder);
    std::filesystem::remove(folder / gone);
    const std::string named = std::string(gone) == "vae/model.safetensors" ? "vae" : gone;
    EXPECT_EQ(code_of([&] { read_model_files(folder.path(), true); }, named), ExitCode::input_missing) << gone;
  }
  EXPECT_EQ(code_of([] { read_model_files("/no/such/folder", true); }, "/no/such/folder"), ExitCode::input_missing);
}

TEST(ModelFiles, NamesAPartThatTheFolderLacks) {
  const TemporaryFolder folder;
  const ModelFiles files = sample(folder);
  EXPECT_EQ(code_of([&] { files.part("text_encoder_2"); }, "text_encoder_2"), ExitCode::input_missing);
}

TEST(ModelFiles, NeedNoTensorFilesForDummyWeights) {
  const TemporaryFolder folder;
  sample(folder);
  for (const char* part : {"transformer", "text_encoder", "vae"}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder / part)) {
      if (entry.path().filename() != "config.json") std::filesystem::remove(entry.path());
    }
  }
  EXPECT_TRUE(read_model_files(folder.path(), /*weights=*/false).part("transformer").tensors.empty());
}

TEST(ModelFiles, AreRankZerosOnEveryRank) {
  const TemporaryFolder folder;
  const ModelFiles files = sample(folder);
  for (int ranks = 1; ranks <= 4; ++ranks) {
    strict::run({.ranks = ranks, .seed = 1}, [&](Transport& transport, Transport&) {
      const ModelFiles shared = share_model_files(transport.rank() == 0 ? files : ModelFiles(), transport);
      EXPECT_EQ(encode_model_files(shared), encode_model_files(files));
    });
  }
}

TEST(ModelFiles, SurviveTheirEncoding) {
  const TemporaryFolder folder;
  const ModelFiles files = sample(folder), decoded = decode_model_files(encode_model_files(files));
  EXPECT_EQ(decoded.folder, files.folder);
  EXPECT_EQ(decoded.part("transformer").shards, files.part("transformer").shards);
  EXPECT_EQ(decoded.part("transformer").tensors[1].offset, files.part("transformer").tensors[1].offset);
  EXPECT_EQ(decoded.part("transformer").tensors[0].shape, files.part("transformer").tensors[0].shape);
}

TEST(ModelFiles, RefuseAnEncodingThatIsCutOrLonger) {
  const TemporaryFolder folder;
  Bytes bytes = encode_model_files(sample(folder));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_THROW(decode_model_files(std::span(bytes).first(length)), Error) << length;
  }
  bytes.push_back(std::byte{0});
  EXPECT_THROW(decode_model_files(bytes), Error);
}

TEST(ModelFiles, RefuseATensorOfNoShard) {
  ModelFiles files;
  files.parts["vae"].tensors.push_back({"a", "F32", {1}, 0, 0, 4});
  EXPECT_THROW(decode_model_files(encode_model_files(files)), Error);
}

}  // namespace
}  // namespace trireme
