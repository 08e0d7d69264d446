#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "common/safetensors.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

using ::testing::HasSubstr;

/// A file with one-byte tensors of these names.
std::string file_with(const std::vector<std::string>& names) {
  std::string header = "{", data;
  for (const std::string& name : names) {
    header += (data.empty() ? "\"" : ",\"") + name + R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" +
              std::to_string(data.size()) + "," + std::to_string(data.size() + 1) + "]}";
    data += 'x';
  }
  header += "}";
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i) & 0xff);
  return bytes + header + data;
}

constexpr const char* kIndex = "model.safetensors.index.json";

struct Failure {
  ExitCode code = ExitCode::ok;
  std::string message;
};
Failure open_failure(const std::filesystem::path& folder) {
  try {
    open_shards(folder);
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {};
}

TEST(Shards, AnIndexListsItsFilesInOrder) {
  const TemporaryFolder folder;
  folder.write(
      kIndex,
      R"({"metadata":{"total_size":3},"weight_map":{"c":"2.safetensors","a":"1.safetensors","b":"1.safetensors"}})");
  EXPECT_THAT(list_shards(folder.path()),
              testing::ElementsAre(folder.path() / "1.safetensors", folder.path() / "2.safetensors"));
  folder.write("1.safetensors", file_with({"a", "b"}));
  folder.write("2.safetensors", file_with({"c", "unlisted"}));
  const auto files = open_shards(folder.path());
  ASSERT_EQ(files.size(), 2u);
  EXPECT_NE(files[0].find("b"), nullptr);
  EXPECT_NE(files[1].find("unlisted"), nullptr);
}

TEST(Shards, ASingleFileNeedsNoIndex) {
  for (const char* name : {"model.safetensors", "diffusion_pytorch_model.safetensors", "z_image.safetensors"}) {
    const TemporaryFolder folder;
    folder.write(name, file_with({"a"}));
    folder.write("config.json", "{}");
    EXPECT_THAT(list_shards(folder.path()), testing::ElementsAre(folder.path() / name));
  }
  const TemporaryFolder folder;
  EXPECT_EQ(open_failure(folder.path()).code, ExitCode::input_missing);
  EXPECT_EQ(open_failure(folder.path() / "absent").code, ExitCode::input_missing);
  folder.write("x.safetensors", file_with({"a"}));
  folder.write("y.safetensors", file_with({"b"}));
  EXPECT_THAT(open_failure(folder.path()).message, HasSubstr("2 .safetensors files"));
  folder.write("model.safetensors", file_with({"c"}));
  EXPECT_THAT(list_shards(folder.path()), testing::ElementsAre(folder.path() / "model.safetensors"));
}

TEST(Shards, AMissingShardIsNamed) {
  const TemporaryFolder folder;
  folder.write(kIndex, R"({"weight_map":{"a":"1.safetensors","b":"2.safetensors"}})");
  folder.write("1.safetensors", file_with({"a"}));
  const Failure failure = open_failure(folder.path());
  EXPECT_EQ(failure.code, ExitCode::input_missing);
  EXPECT_THAT(failure.message, HasSubstr("2.safetensors: missing"));
}

TEST(Shards, EveryTensorIsInItsOneShard) {
  const TemporaryFolder folder;
  folder.write(kIndex, R"({"weight_map":{"a":"1.safetensors","b":"2.safetensors"}})");
  folder.write("1.safetensors", file_with({"a", "b"}));
  folder.write("2.safetensors", file_with({"b"}));
  EXPECT_THAT(open_failure(folder.path()).message, HasSubstr("tensor 'b' is in"));
  folder.write("2.safetensors", file_with({"other"}));
  EXPECT_THAT(open_failure(folder.path()).message, HasSubstr("tensor 'b' is not in 2.safetensors but in"));
  folder.write("1.safetensors", file_with({"a"}));
  EXPECT_THAT(open_failure(folder.path()).message, HasSubstr("tensor 'b' is not in 2.safetensors"));
  EXPECT_EQ(open_failure(folder.path()).code, ExitCode::bad_data);
}

TEST(Shards, NamesThatLeaveTheFolderAreRefused) {
  for (const char* name :
       {"../x.safetensors", "/etc/passwd", "sub/x.safetensors", "..", ".", "", "x\\u0000.safetensors"}) {
    const TemporaryFolder folder;
    folder.write(kIndex, std::string(R"({"weight_map":{"a":")") + name + "\"}}");
    const Failure failure = open_failure(folder.path());
    EXPECT_EQ(failure.code, ExitCode::bad_data) << name;
    EXPECT_THAT(failure.message, HasSubstr("weight_map"));
  }
}

TEST(Shards, DamagedIndexesAreRefused) {
  for (const char* text : {"", "[]", "{}", R"({"weight_map":{}})", R"({"weight_map":{"a":1}})", R"({"weight_map":[]})",
                           R"({"weight_map":{"a":"1.safetensors","a":"2.safetensors"}})"}) {
    const TemporaryFolder folder;
    folder.write(kIndex, text);
    EXPECT_EQ(open_failure(folder.path()).code, ExitCode::bad_data) << text;
  }
  const TemporaryFolder folder;
  folder.write(kIndex, R"({"weight_map":{"a":"1.safetensors"}})");
  folder.write("diffusion_pytorch_model.safetensors.index.json", R"({"weight_map":{"a":"1.safetensors"}})");
  EXPECT_THAT(open_failure(folder.path()).message, HasSubstr("has both"));
}

}  // namespace
}  // namespace trireme
