#pragma once
// trireme report RUN…: a page about a run, or several side by side: report.html that needs nothing else, and report.md
// for pasting. Reads run directories only, so it works on a login node, also of a run that was killed.

#include <CLI/App.hpp>
#include <cstddef>
#include <filesystem>
#include <vector>

namespace trireme {

struct ReportOptions {
  std::vector<std::filesystem::path> runs;
  std::filesystem::path folder;  // to write to; empty: the run directory of a single run, else the current folder
  std::size_t items = 48;        // pictures or answers shown at most
};

struct ReportFiles {
  std::filesystem::path html, markdown;
};
/// Throws Error: input_missing (a folder that is no run), cannot_create, io_error.
ReportFiles write_report(const ReportOptions& options);

void add_report(CLI::App& app);

}  // namespace trireme
