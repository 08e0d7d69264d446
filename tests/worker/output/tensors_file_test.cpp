#include "worker/output/tensors_file.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "common/files.h"
#include "common/safetensors.h"
#include "common/sha256.h"
#include "tests/common/temporary_folder.h"

namespace trireme {

TEST(TensorsFile, ReadsBackByTheStrictReader) {
  const TemporaryFolder folder;
  const std::map<std::string, at::Tensor> tensors = {{"caption", at::arange(15, at::kFloat).reshape({3, 5})},
                                                     {"empty", at::empty({0, 4}, at::kFloat)},
                                                     {"scalar", at::scalar_tensor(2.5, at::kFloat)},
                                                     {"token_ids", at::arange(-3, 4, at::kLong)}};
  const FileRecord record = write_tensors_file(folder.path(), "a.safetensors", tensors);
  const std::string bytes = read_file(folder / "a.safetensors", 1 << 20);
  EXPECT_EQ(record, (FileRecord{"a.safetensors", sha256_hex(bytes), bytes.size()}));

  const SafetensorsFile file(folder / "a.safetensors");
  ASSERT_EQ(file.tensors().size(), tensors.size());
  EXPECT_EQ(file.tensors()[0].name, "token_ids");
  for (const auto& [name, tensor] : tensors) {
    const TensorInfo* info = file.find(name);
    ASSERT_NE(info, nullptr) << name;
    EXPECT_EQ(info->shape, tensor.sizes().vec());
    EXPECT_EQ(info->dtype, name == "token_ids" ? "I64" : "F32");
    EXPECT_EQ(info->offset % tensor.element_size(), 0u);
    at::Tensor read = at::empty_like(tensor);
    file.read(info->offset, std::span(static_cast<std::byte*>(read.mutable_data_ptr()), read.nbytes()));
    EXPECT_TRUE(at::equal(read, tensor)) << name;
  }
}

TEST(TensorsFile, GivesTheSameBytesForTheSameTensors) {
  const TemporaryFolder folder;
  const auto write = [&](const char* name) {
    return write_tensors_file(folder.path(), name, {{"b", at::ones({2, 2})}, {"a", at::zeros({3})}}).sha256;
  };
  EXPECT_EQ(write("x"), write("y"));
}

TEST(TensorsFile, RefusesWhatItCantWrite) {
  const TemporaryFolder folder;
  EXPECT_THROW(write_tensors_file(folder.path(), "x", {{"a", at::Tensor()}}), Error);
  EXPECT_THROW(write_tensors_file(folder.path(), "x", {{"a", at::ones({2}, at::kHalf)}}), Error);
  EXPECT_THROW(write_tensors_file(folder.path(), "x", {{"a", at::ones({2, 3}).t()}}), Error);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace trireme
