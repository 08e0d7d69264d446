#include "launcher/raster.h"

#include <png.h>

#include <algorithm>
#include <cstddef>

#include "common/errors.h"
#include "common/files.h"

namespace trireme {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 33;
constexpr int kMaxSide = 1 << 14;  // of a picture that is read

/// libpng's own image, freed whatever happens.
struct PngImage {
  png_image image{};
  PngImage() { image.version = PNG_IMAGE_VERSION; }
  ~PngImage() { png_image_free(&image); }
};

}  // namespace

Raster read_png(const std::filesystem::path& file) {
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

std::optional<std::string> png_text(const std::filesystem::path& file, std::string_view keyword) {
  constexpr std::size_t kSignature = 8, kHead = 8, kChecksum = 4;  // bytes: of the file, of a chunk
  std::string bytes;
  try {
    bytes = read_file(file, kMaxFileBytes);
  } catch (const Error&) {
    return std::nullopt;
  }
  for (std::size_t at = kSignature; at + kHead <= bytes.size();) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(bytes[at + i]);
    const std::string_view type = std::string_view(bytes).substr(at + 4, 4);
    if (type == "IDAT" || length > bytes.size() - at - kHead) return std::nullopt;
    const std::string_view data = std::string_view(bytes).substr(at + kHead, length);
    if (type == "tEXt" && data.size() > keyword.size() && data.starts_with(keyword) && data[keyword.size()] == '\0') {
      return std::string(data.substr(keyword.size() + 1));
    }
    at += kHead + length + kChecksum;
  }
  return std::nullopt;
}

std::string png_bytes(const Raster& raster, const std::string& name) {
  PngImage png;
  png.image.width = static_cast<png_uint_32>(raster.width);
  png.image.height = static_cast<png_uint_32>(raster.height);
  png.image.format = PNG_FORMAT_RGB;
  std::string bytes(PNG_IMAGE_PNG_SIZE_MAX(png.image), '\0');
  png_alloc_size_t size = bytes.size();
  if (png_image_write_to_memory(&png.image, bytes.data(), &size, 0, raster.pixels.data(), 0, nullptr) == 0) {
    throw Error(ExitCode::internal, name + ": " + png.image.message);
  }
  bytes.resize(size);
  return bytes;
}

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

}  // namespace trireme
