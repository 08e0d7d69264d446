#include "common/files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/errors.h"
#include "tests/common/error_of.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

using testing::HasSubstr;

std::size_t entries(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

}  // namespace

TEST(Files, WriteThenReadGivesTheSameBytes) {
  const TemporaryFolder folder;
  const std::string bytes("a\0b\r\n", 5);
  write_file(folder / "x", bytes);
  EXPECT_EQ(read_file(folder / "x", 5), bytes);
  write_file(folder / "x", "new", Durability::renamed);
  EXPECT_EQ(read_file(folder / "x", 5), "new");
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(Files, AFileThatIsNotCommittedLeavesTheOldOneAndNoTrace) {
  const TemporaryFolder folder;
  write_file(folder / "x", "old");
  {
    AtomicFile half(folder / "x");
    half.append("ne");
    ASSERT_EQ(entries(folder.path()), 2u);
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
      const std::string name = entry.path().filename();
      EXPECT_EQ(is_temporary_name(name), name != "x");
    }
  }
  EXPECT_EQ(read_file(folder / "x", 5), "old");
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(Files, ErrorsNameThePathTheCauseAndARemedy) {
  const TemporaryFolder folder;
  const Error missing = error_of([&] { read_file(folder / "none", 1); });
  EXPECT_EQ(missing.code(), ExitCode::input_missing);
  EXPECT_THAT(missing.what(), HasSubstr((folder / "none").string() + ": no such file or directory; check the path"));

  write_file(folder / "x", "12345");
  const Error large = error_of([&] { read_file(folder / "x", 4); });
  EXPECT_EQ(large.code(), ExitCode::bad_data);
  EXPECT_THAT(large.what(), HasSubstr("larger than the 4 bytes"));

  const Error no_folder = error_of([&] { write_file(folder / "none/x", ""); });
  EXPECT_EQ(no_folder.code(), ExitCode::cannot_create);
  const Error in_the_way = error_of([&] { create_folder(folder / "x"); });
  EXPECT_EQ(in_the_way.code(), ExitCode::cannot_create);
  EXPECT_THAT(in_the_way.what(), HasSubstr("not a directory"));
  EXPECT_EQ(error_of([&] { create_folder(folder / "x/y"); }).code(), ExitCode::cannot_create);
}

TEST(Files, AFullDiskIsAnInputOutputErrorWithARemedy) {
  const Descriptor full = [] {
    std::FILE* file = std::fopen("/dev/full", "w");
    Descriptor copy(::dup(::fileno(file)));
    std::fclose(file);
    return copy;
  }();
  const Error error = error_of([&] { write_all(full, "x", "out/images/a.png"); });
  EXPECT_EQ(error.code(), ExitCode::io_error);
  EXPECT_THAT(error.what(), HasSubstr("out/images/a.png: no space left on device; free some space"));
}

TEST(Files, AFolderIsNoFileAndAPipeWithoutAWriterIsEmpty) {
  const TemporaryFolder folder;
  const Error a_folder = error_of([&] { read_file(folder.path(), 9); });
  EXPECT_EQ(a_folder.code(), ExitCode::input_missing);
  EXPECT_THAT(a_folder.what(), HasSubstr("a folder; name a file in it"));
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(read_file(folder / "pipe", 9), "");
}

TEST(Files, AFileNeverGetsTheNumberOfAClosedStream) {
  const pid_t child = fork();
  if (child == 0) {
    for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::close(fd);
    fill_standard_streams();
    _exit(::open("/dev/null", O_RDONLY));
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_GT(WEXITSTATUS(status), STDERR_FILENO);
}

TEST(Files, CreateFolderMakesParentsAndIsFineWhenItExists) {
  const TemporaryFolder folder;
  create_folder(folder / "a/b/c");
  create_folder(folder / "a/b/c");
  EXPECT_TRUE(std::filesystem::is_directory(folder / "a/b/c"));
  EXPECT_GT(free_bytes(folder / "a"), 0u);
}

}  // namespace trireme
