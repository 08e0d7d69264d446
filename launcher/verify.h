#pragma once
// trireme verify RUN [OTHER]: are the files of a run what its journal says; do two runs hold the same results?

#include <CLI/App.hpp>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace trireme {

struct VerifyOptions {
  std::filesystem::path run;
  std::optional<std::filesystem::path> other;
};

struct VerifyReport {
  std::size_t items = 0, files = 0;      // looked at, in both runs
  std::vector<std::string> differences;  // one line each
  std::vector<std::string> notes;        // no difference, but good to know: degraded items, unfinished runs
};

/// Hashes every result file. Throws Error: input_missing (no journal there), bad_data (journal damaged), io_error.
VerifyReport compare(const VerifyOptions& options);

/// Prints a line a difference and a note, then the outcome. Returns 0, or 65 when there is any difference.
int verify(const VerifyOptions& options);

void add_verify(CLI::App& app);

}  // namespace trireme
