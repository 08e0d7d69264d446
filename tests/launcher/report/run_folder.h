#pragma once
// A run directory as a job of two ranks on two GPUs leaves it, written with the project's own writers, for a test to
// spoil.

#include <filesystem>
#include <string>
#include <vector>

#include "common/summary.h"
#include "tests/common/temporary_folder.h"

namespace trireme::report {

/// Four pictures, of which `d` failed; in 10 s, after 2 s of loading; 300 W on each of two GPUs.
class RunFolder {
 public:
  explicit RunFolder(std::vector<std::string> prompts = {"a fox", "狐狸", "a red fox", "no fox"});

  const std::filesystem::path& path() const { return folder_.path(); }
  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }
  void write(const std::string& name, const std::string& text) const { folder_.write(name, text); }
  void remove(const std::string& name) const { std::filesystem::remove_all(folder_ / name); }
  std::string read(const std::string& name) const;
  void append(const std::string& name, const std::string& text) const { write(name, read(name) + text); }

 private:
  TemporaryFolder folder_;
};

/// Of that job: rank 0 busy for 9 s, rank 1 for 6 s.
Summary two_rank_summary();

/// A picture of one colour.
void write_picture(const std::filesystem::path& file, int width, int height);

}  // namespace trireme::report
