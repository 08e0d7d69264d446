#include "launcher/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "common/errors.h"
#include "common/files.h"
#include "common/run_directory.h"
#include "common/sha256.h"
#include "tests/common/error_of.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

/// A finished run of a, b (with tensors) and c, which failed. `change` may alter a record before it is written down.
void make_run(
    const fs::path& root, const std::function<void(ItemRecord&)>& change = [](ItemRecord&) {}) {
  RunSettings settings;
  settings.directory = root;
  settings.run_id = "run";
  settings.tensors = true;
  settings.start.items = 3;
  RunDirectory run(settings);
  for (const std::string id : {"a", "b", "c"}) {
    ItemRecord item;
    item.id = id;
    item.ok = id != "c";
    const auto write = [&](const std::string& name) {
      const std::string bytes = "bytes of " + name;
      write_file(root / name, bytes);
      return FileRecord{name, sha256_hex(bytes), bytes.size()};
    };
    if (item.ok) item.picture = write(RunPaths::picture(id));
    if (id == "b") item.tensors = write(RunPaths::tensors_of(id));
    change(item);
    run.journal().item(item);
  }
  run.journal().finish(ExitCode::some_items_failed);
}

}  // namespace

TEST(Verify, ARunAsItWasWrittenIsFine) {
  const TemporaryFolder folder;
  make_run(folder / "run");
  const VerifyReport report = compare({folder / "run", {}});
  EXPECT_EQ(report.items, 3u);
  EXPECT_EQ(report.files, 3u);
  EXPECT_THAT(report.differences, IsEmpty());
  EXPECT_THAT(report.notes, IsEmpty());
  EXPECT_EQ(verify({folder / "run", {}}), 0);
}

TEST(Verify, NamesEveryFileThatWasChangedCutOrRemoved) {
  const TemporaryFolder folder;
  make_run(folder / "run");
  const std::string a = folder / "run/images/a.png", b = folder / "run/images/b.png";
  const std::string tensors = folder / "run/tensors/b.safetensors";
  write_file(a, "bytes of images/A.png");
  fs::remove(b);
  fs::resize_file(tensors, 3);
  EXPECT_THAT(compare({folder / "run", {}}).differences,
              ElementsAre(a + ": not the hash that the journal says", b + ": no such file or directory",
                          tensors + ": 3 bytes, the journal says 30"));
  EXPECT_EQ(verify({folder / "run", {}}), 65);
}

TEST(Verify, NeverReadsAFileThatTheJournalShouldNotName) {
  const TemporaryFolder folder;
  make_run(folder / "run", [](ItemRecord& item) {
    if (item.id == "a") item.picture.file = "/dev/zero";
  });
  EXPECT_THAT(compare({folder / "run", {}}).differences,
              ElementsAre(std::string(folder / "run/images/a.png") + ": the journal names another file, /dev/zero"));
}

TEST(Verify, TwoEqualRunsAreEqualWhoeverMadeThem) {
  const TemporaryFolder folder;
  make_run(folder / "one");
  make_run(folder / "two", [](ItemRecord& item) {
    item.replica = 3;
    item.seconds = 9;
    item.attempt = 2;
  });
  const VerifyReport report = compare({folder / "one", folder / "two"});
  EXPECT_THAT(report.differences, IsEmpty());
  EXPECT_EQ(report.files, 6u);
  EXPECT_EQ(verify({folder / "one", folder / "two"}), 0);
}

TEST(Verify, NamesWhatDiffersBetweenTwoRuns) {
  const TemporaryFolder folder;
  make_run(folder / "one");
  make_run(folder / "two", [&](ItemRecord& item) {
    if (item.id == "a") {
      write_file(folder / "two/images/a.png", "other bytes");
      item.picture = {"images/a.png", sha256_hex("other bytes"), 11};
    }
    if (item.id == "c") item.ok = true;
  });
  EXPECT_THAT(compare({folder / "one", folder / "two"}).differences,
              ElementsAre("a: the pictures differ", "c: failed in " + (folder / "one").string() + " only"));
}

TEST(Verify, NamesItemsThatOnlyOneRunHas) {
  const TemporaryFolder folder;
  make_run(folder / "one");
  make_run(folder / "two", [](ItemRecord& item) {
    if (item.id == "c") item.id = "d";
  });
  EXPECT_THAT(compare({folder / "one", folder / "two"}).differences,
              ElementsAre("c: only in " + (folder / "one").string(), "d: only in " + (folder / "two").string()));
}

TEST(Verify, NotesDegradedItemsAndKindsOfFilesThatOnlyOneRunWrote) {
  const TemporaryFolder folder;
  make_run(folder / "one");
  make_run(folder / "two", [](ItemRecord& item) {
    item.tensors = {};
    item.degraded = item.id == "a";
  });
  const VerifyReport report = compare({folder / "one", folder / "two"});
  EXPECT_THAT(report.differences, IsEmpty());
  EXPECT_THAT(report.notes,
              ElementsAre((folder / "two").string() + ": a is degraded: memory was short, its bits may differ",
                          "tensors of 1 items are in one run only and were not compared"));
}

TEST(Verify, NotesARunThatIsNotFinished) {
  const TemporaryFolder folder;
  make_run(folder / "run");
  write_file(folder / "run/journal.jsonl", header_text("run") + to_text(StartLine{1, 1, 1, 3, {}}));
  const VerifyReport report = compare({folder / "run", {}});
  EXPECT_THAT(report.differences, IsEmpty());
  EXPECT_THAT(report.notes, ElementsAre((folder / "run").string() + ": 3 of 3 items are not finished"));
}

TEST(Verify, AFolderWithoutARunIsAMissingInput) {
  const TemporaryFolder folder;
  EXPECT_EQ(error_of([&] { verify({folder / "none", {}}); }).code(), ExitCode::input_missing);
}

}  // namespace trireme
