#pragma once
// A temporary folder, job files of the fake family in it, and the real programs run on them.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/e2e/process.h"

namespace trireme::e2e {

class JobTest : public testing::Test {
 protected:
  JobTest();
  ~JobTest() override;

  /// Writes `text` to a file of the folder and returns its path.
  std::filesystem::path write(const std::string& name, const std::string& text) const;
  /// A job of the fake family: these prompts, results in folder/`run`, small pictures, quick, tensors on. `more`:
  /// further
  /// --set values for every command.
  void prepare(const std::string& prompts, const std::string& more_yaml = "");

  /// trireme-worker under mpirun (ranks > 1) or alone.
  std::vector<std::string> worker(int ranks, const std::string& run, std::vector<std::string> more = {}) const;
  /// trireme run -n ranks.
  std::vector<std::string> launcher(int ranks, const std::string& run, std::vector<std::string> more = {}) const;
  Ended run(const std::vector<std::string>& words, double limit_seconds = 60) const;
  Process start(const std::vector<std::string>& words) const;

  std::filesystem::path folder(const std::string& run) const { return root_ / run; }
  /// Lines of results.jsonl.
  std::size_t results(const std::string& run) const;
  std::string text_of(const std::filesystem::path& file) const;
  /// Files under images/ now.
  std::size_t pictures(const std::string& run) const;
  /// Process id of a rank, from its log; 0 when it is not there yet.
  pid_t pid_of_rank(const std::string& run, int rank) const;
  /// trireme verify A B: 0 when equal.
  Ended verify(const std::string& a, const std::string& b) const;

  std::filesystem::path root_, job_;
};

}  // namespace trireme::e2e
