#include "launcher/sheet.h"

#include <png.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>

#include "common/errors.h"
#include "common/files.h"
#include "common/json.h"
#include "common/run_directory.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 33;
constexpr int kGap = 8;            // pixels between cells
constexpr int kMaxSide = 1 << 14;  // of a picture that is read

/// libpng's own image, freed whatever happens.
struct PngImage {
  png_image image{};
  PngImage() { image.version = PNG_IMAGE_VERSION; }
  ~PngImage() { png_image_free(&image); }
};

Raster read_png(const fs::path& file) {
  const std::string bytes = read_file(file, kMaxFileBytes);
  PngImage png;
  const auto check = [&](bool fine) {
    if (!fine) throw Error(ExitCode::bad_data, file.string() + ": " + png.image.message);
  };
  check(png_image_begin_read_from_memory(&png.image, bytes.data(), bytes.size()) != 0);
  if (png.image.width > kMaxSide || png.image.height > kMaxSide) {
    throw Error(ExitCode::bad_data, file.string() + ": more than " + std::to_string(kMaxSide) + " pixels a side");
  }
  png.image.format = PNG_FORMAT_RGB;
  Raster raster{static_cast<int>(png.image.width), static_cast<int>(png.image.height), {}};
  raster.pixels.resize(PNG_IMAGE_SIZE(png.image));
  const png_color white{255, 255, 255};
  check(png_image_finish_read(&png.image, &white, raster.pixels.data(), 0, nullptr) != 0);
  return raster;
}

void write_png(const fs::path& file, const Raster& raster) {
  PngImage png;
  png.image.width = static_cast<png_uint_32>(raster.width);
  png.image.height = static_cast<png_uint_32>(raster.height);
  png.image.format = PNG_FORMAT_RGB;
  std::string bytes(PNG_IMAGE_PNG_SIZE_MAX(png.image), '\0');
  png_alloc_size_t size = bytes.size();
  if (png_image_write_to_memory(&png.image, bytes.data(), &size, 0, raster.pixels.data(), 0, nullptr) == 0) {
    throw Error(ExitCode::internal, file.string() + ": " + png.image.message);
  }
  bytes.resize(size);
  AtomicFile out(file);
  out.append(bytes);
  out.commit(Durability::synced);
}

/// Files of the first items, in input order; empty for a failed one.
std::vector<std::string> pictures_of(const fs::path& run, std::size_t first) {
  const fs::path results = RunPaths{run}.results();
  if (!fs::exists(results)) {
    throw Error(ExitCode::input_missing, results.string() + ": no such file; a run writes it when it ends");
  }
  const std::string text = read_file(results, kMaxFileBytes);
  std::vector<std::string> pictures;
  std::size_t line = 1;
  for (std::size_t start = 0; start < text.size() && pictures.size() < first; ++line) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const nlohmann::json value = parse_json(std::string_view(text).substr(start, end - start), results.string(), line);
    const JsonObject item(value, results.string() + ":" + std::to_string(line));
    pictures.push_back(item.get_string_or("file", ""));
    start = end + 1;
  }
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

Raster fit(const Raster& picture, int cell) {
  const int longest = std::max(picture.width, picture.height);
  if (longest <= cell) return picture;
  const auto scaled = [&](int side) { return std::max(1, static_cast<int>(std::int64_t{side} * cell / longest)); };
  Raster small{scaled(picture.width), scaled(picture.height), {}};
  small.pixels.reserve(std::size_t{3} * static_cast<std::size_t>(small.width) * static_cast<std::size_t>(small.height));
  const auto edge = [](int i, int from, int to) { return static_cast<int>(std::int64_t{i} * from / to); };
  for (int y = 0; y < small.height; ++y) {
    const int top = edge(y, picture.height, small.height), bottom = edge(y + 1, picture.height, small.height);
    for (int x = 0; x < small.width; ++x) {
      const int left = edge(x, picture.width, small.width), right = edge(x + 1, picture.width, small.width);
      const int count = (bottom - top) * (right - left);
      for (int channel = 0; channel < 3; ++channel) {
        int sum = count / 2;  // rounds
        for (int v = top; v < bottom; ++v) {
          for (int u = left; u < right; ++u) {
            sum += picture.pixels[static_cast<std::size_t>(3 * (std::ptrdiff_t{v} * picture.width + u) + channel)];
          }
        }
        small.pixels.push_back(static_cast<std::uint8_t>(sum / count));
      }
    }
  }
  return small;
}

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
  write_png(file, sheet);
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
