#pragma once
// trireme sheet RUN: the pictures of a run side by side in one PNG, in the order of the input.

#include <CLI/App.hpp>
#include <cstddef>
#include <filesystem>

namespace trireme {

struct SheetOptions {
  std::filesystem::path run;
  std::filesystem::path file;  // empty: RUN/sheet.png
  int columns = 0;             // 0: as many as make the sheet about three wide to two high
  int cell = 128;              // pixels a side that a picture gets; larger ones are scaled down, none up
  std::size_t first = 240;     // pictures at most, so that a run of a million makes a sheet too
};

/// Writes the sheet and returns its path. Failed items leave an empty cell. Throws Error: input_missing (no
/// results.jsonl yet, a picture gone, no pictures at all), bad_data (damaged), cannot_create, io_error.
std::filesystem::path write_sheet(const SheetOptions& options);

void add_sheet(CLI::App& app);

}  // namespace trireme
