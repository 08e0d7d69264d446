#include "worker/output/writers.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "common/errors.h"
#include "common/files.h"
#include "common/sha256.h"
#include "tests/common/error_of.h"
#include "tests/common/temporary_folder.h"
#include "tests/worker/output/decoded_png.h"

namespace trireme {
namespace {

Item item(const std::string& id) {
  Item item;
  item.id = id;
  item.prompt = "p";
  item.width = item.height = 16;
  return item;
}

Result result(const std::string& id) {
  Result result;
  result.id = id;
  result.picture = at::full({16, 16, 3}, static_cast<int>(id.size()), at::kByte);
  result.tensors["latents"] = at::ones({4, 2, 2});
  return result;
}

SinkSettings settings_for(const TemporaryFolder& folder) {
  create_folder(folder / "images");
  create_folder(folder / "tensors");
  return {folder.path(), true, {}};
}

Written wait(Writers& writers) {
  for (;;) {
    if (std::optional<Written> written = writers.take()) return *written;
    std::this_thread::yield();
  }
}

}  // namespace

TEST(Writers, WriteEveryItemOnceWithItsHash) {
  const TemporaryFolder folder;
  Writers writers(settings_for(folder), {"png", "tensors"}, 4);
  for (int i = 0; i < 50; ++i) writers.submit(item(std::to_string(i)), result(std::to_string(i)));
  std::set<std::string> ids;
  for (int i = 0; i < 50; ++i) {
    const Written written = wait(writers);
    ids.insert(written.item.id);
    EXPECT_EQ(written.error, "");
    EXPECT_EQ(written.picture.file, "images/" + written.item.id + ".png");
    EXPECT_EQ(written.tensors.file, "tensors/" + written.item.id + ".safetensors");
    for (const FileRecord& record : {written.picture, written.tensors}) {
      const std::string bytes = read_file(folder / record.file, 1 << 20);
      EXPECT_EQ(record.sha256, sha256_hex(bytes));
      EXPECT_EQ(record.bytes, bytes.size());
    }
  }
  EXPECT_EQ(ids.size(), 50u);
  EXPECT_EQ(writers.in_hand(), 0u);
  EXPECT_FALSE(writers.take());
}

TEST(Writers, LeaveGenerationDataOutWhenTold) {
  const TemporaryFolder folder;
  SinkSettings settings = settings_for(folder);
  settings.png_metadata = false;
  Writers without(settings, {"png"});
  without.submit(item("a"), result("a"));
  EXPECT_TRUE(decode_png(read_file(folder / wait(without).picture.file, 1 << 20)).latin1.empty());
  settings.png_metadata = true;
  Writers with(settings, {"png"});
  with.submit(item("b"), result("b"));
  EXPECT_EQ(decode_png(read_file(folder / wait(with).picture.file, 1 << 20)).latin1.size(), 2u);
}

TEST(Writers, WithoutSinksOnlyPassItemsThrough) {
  const TemporaryFolder folder;
  Writers writers(settings_for(folder), {});
  writers.submit(item("a"), result("a"));
  const Written written = wait(writers);
  EXPECT_EQ(written.picture.file + written.tensors.file, "");
  EXPECT_TRUE(std::filesystem::is_empty(folder / "images"));
}

TEST(Writers, AFailedResultPassesThroughWithoutAFile) {
  const TemporaryFolder folder;
  Writers writers(settings_for(folder), {"png"});
  Result failed;
  failed.error = "no such size";
  writers.submit(item("a"), std::move(failed));
  const Written written = wait(writers);
  EXPECT_EQ(written.error, "no such size");
  EXPECT_EQ(written.picture.file, "");
  EXPECT_TRUE(std::filesystem::is_empty(folder / "images"));
}

TEST(Writers, APictureThatPngCantHoldFailsItsItemOnly) {
  const TemporaryFolder folder;
  Writers writers(settings_for(folder), {"png"}, 1);
  Result wide = result("wide");
  wide.picture = at::zeros({1, 1'000'001, 3}, at::kByte);
  writers.submit(item("wide"), std::move(wide));
  writers.submit(item("b"), result("b"));
  EXPECT_NE(wait(writers).error.find("libpng"), std::string::npos);
  EXPECT_EQ(wait(writers).error, "");
}

TEST(Writers, ADiskThatCantBeWrittenIsThrownOnTheLoopsThread) {
  const TemporaryFolder folder;
  Writers writers({folder / "gone", true, {}}, {"png"}, 2);
  writers.submit(item("a"), result("a"));
  const auto poll_for_ever = [&] {
    for (;;) writers.take();
  };
  EXPECT_EQ(error_of(poll_for_ever).code(), ExitCode::cannot_create);
}

TEST(Writers, ReleaseTensorsOnTheThreadThatTakes) {
  const TemporaryFolder folder;
  Writers writers(settings_for(folder), {"png"});
  std::vector<std::uint8_t> memory(16 * 16 * 3);
  std::atomic<std::thread::id> released_by{};
  Result borrowed;
  borrowed.picture = at::from_blob(
      memory.data(), {16, 16, 3}, [&](void*) { released_by = std::this_thread::get_id(); }, at::kByte);
  writers.submit(item("a"), std::move(borrowed));
  wait(writers);
  EXPECT_EQ(released_by.load(), std::this_thread::get_id());
}

TEST(Writers, FinishWhatTheyWereGivenBeforeTheyGo) {
  const TemporaryFolder folder;
  {
    Writers writers(settings_for(folder), {"png"}, 1);
    for (const char* id : {"a", "b", "c"}) writers.submit(item(id), result(id));
  }
  for (const char* id : {"a", "b", "c"}) {
    EXPECT_TRUE(std::filesystem::exists(folder / ("images/" + std::string(id) + ".png")));
  }
}

TEST(Sinks, AreThoseTheJobAsksFor) {
  Job::Output output;
  output.images = "png";
  output.tensors = false;
  EXPECT_EQ(sink_names(output, Makes::pictures), (std::vector<std::string_view>{"png"}));
  output.tensors = true;
  EXPECT_EQ(sink_names(output, Makes::pictures), (std::vector<std::string_view>{"png", "tensors"}));
  output.images = "none";
  output.tensors = false;
  EXPECT_TRUE(sink_names(output, Makes::pictures).empty());
  output.images = "png";
  EXPECT_TRUE(sink_names(output, Makes::text).empty()) << "text is in the journal";
}

}  // namespace trireme
