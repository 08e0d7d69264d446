#include "worker/output/local_output.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "common/files.h"
#include "common/sha256.h"
#include "tests/common/error_of.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

Finished unit(std::uint64_t index, int items) {
  Finished finished;
  finished.unit.index = index;
  for (int i = 0; i < items; ++i) {
    Item item;
    item.id = std::to_string(index) + "-" + std::to_string(i);
    item.width = item.height = 16;
    Result result;
    result.id = item.id;
    result.picture = at::full({16, 16, 3}, static_cast<int>(index), at::kByte);
    result.tensors["latents"] = at::ones({4, 2, 2});
    finished.unit.items.push_back(item);
    finished.results.push_back(result);
  }
  return finished;
}

SinkSettings settings_for(const TemporaryFolder& folder) {
  create_folder(folder / "images");
  create_folder(folder / "tensors");
  return {folder.path(), true, {}};
}

Finished wait(LocalOutput& output) {
  for (;;) {
    if (auto finished = output.take()) return std::move(*finished);
    std::this_thread::yield();
  }
}

}  // namespace

TEST(LocalOutput, AUnitComesOutWhenItsFilesAreThereAndCarriesTheirHashesOnly) {
  const TemporaryFolder folder;
  LocalOutput output(settings_for(folder), {"png", "tensors"}, 2);
  EXPECT_TRUE(output.idle());
  for (std::uint64_t index = 0; index < 8; ++index) output.submit(unit(index, 1 + static_cast<int>(index) % 3));
  EXPECT_FALSE(output.idle());
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 8; ++i) {
    const Finished finished = wait(output);
    seen.insert(finished.unit.index);
    EXPECT_EQ(finished.results.size(), 1 + finished.unit.index % 3);
    for (const Result& result : finished.results) {
      EXPECT_FALSE(result.picture.defined());
      EXPECT_TRUE(result.tensors.empty());
      ASSERT_TRUE(result.saved);
      for (const FileRecord& record : {result.saved->picture, result.saved->tensors}) {
        const std::string bytes = read_file(folder / record.file, 1 << 20);
        EXPECT_EQ(record.sha256, sha256_hex(bytes));
        EXPECT_EQ(record.bytes, bytes.size());
      }
    }
  }
  EXPECT_EQ(seen.size(), 8u);
  EXPECT_EQ(output.done(), 8u);
  EXPECT_TRUE(output.idle());
}

TEST(LocalOutput, AFailedItemStaysFailedBesideTheOthers) {
  const TemporaryFolder folder;
  LocalOutput output(settings_for(folder), {"png"}, 1);
  Finished finished = unit(3, 2);
  finished.results[0] = Result{.id = "3-0", .error = "the prompt asks to fail"};
  output.submit(std::move(finished));
  const Finished out = wait(output);
  EXPECT_EQ(out.results[0].error, "the prompt asks to fail");
  EXPECT_FALSE(out.results[0].saved);
  EXPECT_TRUE(out.results[1].saved);
}

TEST(LocalOutput, AFolderThatIsNotThereEndsTheJob) {
  const TemporaryFolder folder;
  LocalOutput output({folder / "none", true, {}}, {"png"}, 1);
  output.submit(unit(0, 1));
  EXPECT_EQ(error_of([&] { wait(output); }).code(), ExitCode::cannot_create);
}

}  // namespace trireme
