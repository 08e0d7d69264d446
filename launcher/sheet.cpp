#include "launcher/sheet.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>

#include "common/errors.h"
#include "common/files.h"
#include "common/results.h"
#include "common/run_directory.h"
#include "launcher/raster.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr int kGap = 8;  // pixels between cells

/// Files of the first items, in input order; empty for a failed one.
std::vector<std::string> pictures_of(const fs::path& run, std::size_t first) {
  const fs::path results = RunPaths{run}.results();
  if (!fs::exists(results)) {
    throw Error(ExitCode::input_missing, results.string() + ": no such file; a run writes it when it ends");
  }
  std::vector<std::string> pictures;
  for (const ResultLine& line : read_results(results, first)) pictures.push_back(line.file);
  if (std::all_of(pictures.begin(), pictures.end(), [](const std::string& name) { return name.empty(); })) {
    throw Error(ExitCode::input_missing, results.string() + ": no pictures in it");
  }
  return pictures;
}

void paste(const Raster& from, Raster& onto, int x, int y) {
  for (int row = 0; row < from.height; ++row) {
    const auto source = from.pixels.begin() + std::ptrdiff_t{3} * row * from.width;
    std::copy_n(source, 3 * from.width, onto.pixels.begin() + 3 * (std::ptrdiff_t{y + row} * onto.width + x));
  }
}

}  // namespace

fs::path write_sheet(const SheetOptions& options) {
  const std::vector<std::string> pictures = pictures_of(options.run, options.first);
  const int count = static_cast<int>(pictures.size()), step = options.cell + kGap;
  const int wanted = options.columns > 0 ? options.columns : static_cast<int>(std::ceil(std::sqrt(1.5 * count)));
  const int columns = std::min(count, wanted), rows = (count + columns - 1) / columns;
  Raster sheet{kGap + columns * step, kGap + rows * step, {}};
  sheet.pixels.assign(std::size_t{3} * static_cast<std::size_t>(sheet.width) * static_cast<std::size_t>(sheet.height),
                      255);
  for (int i = 0; i < count; ++i) {
    const std::string& name = pictures[static_cast<std::size_t>(i)];
    if (name.empty()) continue;
    const Raster picture = fit(read_png(options.run / name), options.cell);
    const int x = kGap + i % columns * step + (options.cell - picture.width) / 2;
    const int y = kGap + i / columns * step + (options.cell - picture.height) / 2;
    paste(picture, sheet, x, y);
  }
  const fs::path file = options.file.empty() ? options.run / "sheet.png" : options.file;
  write_file(file, png_bytes(sheet, file.string()));
  return file;
}

void add_sheet(CLI::App& app) {
  CLI::App* command = app.add_subcommand("sheet", "put the pictures of a run side by side in one PNG");
  const auto options = std::make_shared<SheetOptions>();
  command->add_option("RUN", options->run, "run directory")->required();
  command->add_option("-o,--output", options->file, "file to write; default: sheet.png in the run directory");
  command->add_option("--columns", options->columns, "pictures a row; default: by their number")
      ->check(CLI::Range(1, 1000));
  command->add_option("--cell", options->cell, "pixels a side for each picture")
      ->check(CLI::Range(16, 1024))
      ->capture_default_str();
  command->add_option("--first", options->first, "pictures at most")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command->callback([options] { std::printf("sheet: %s\n", write_sheet(*options).c_str()); });
}

}  // namespace trireme
