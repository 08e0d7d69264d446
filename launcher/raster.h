#pragma once
// Pictures as rows of pixels: read from PNG files, made smaller, written as PNG. Any thread; no globals.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trireme {

/// RGB, row by row.
struct Raster {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;  // [height, width, 3]
};

/// Transparent pixels become white. Throws Error: input_missing, bad_data (damaged, or more than 16384 pixels a side).
Raster read_png(const std::filesystem::path& file);
/// The text of a tEXt chunk before the pixels of a PNG file, such as the worker's "trireme" (ASCII JSON); nothing when
/// there is none, or the file can't be read.
std::optional<std::string> png_text(const std::filesystem::path& file, std::string_view keyword);
/// The bytes of a PNG file. `name` is for the message.
std::string png_bytes(const Raster& raster, const std::string& name);
/// `picture` scaled down to fit `cell` x `cell` by the mean of what each pixel covers; as it is where it fits.
Raster fit(const Raster& picture, int cell);

}  // namespace trireme
