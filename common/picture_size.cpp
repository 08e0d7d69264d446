#include "common/picture_size.h"

#include <array>
#include <cstddef>
#include <fstream>
#include <string>
#include <string_view>

namespace trireme {
namespace {

constexpr std::string_view kPngSign("\x89PNG\r\n\x1a\n", 8);
constexpr int kMostSegments = 1000;  // of a JPEG in front of its frame

/// The next `count` bytes, or nothing.
template <std::size_t count>
std::optional<std::array<unsigned char, count>> take(std::istream& file) {
  std::array<unsigned char, count> bytes{};
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(count));
  if (!file) return std::nullopt;
  return bytes;
}

template <std::size_t count>
std::uint32_t big_endian(const std::array<unsigned char, count>& bytes, std::size_t first, std::size_t length) {
  std::uint32_t number = 0;
  for (std::size_t i = first; i < first + length; ++i) number = number << 8 | bytes[i];
  return number;
}

/// Behind the signature: a length, "IHDR", width, height.
std::optional<PixelSize> png_size(std::istream& file) {
  const auto header = take<16>(file);
  if (!header) return std::nullopt;
  return PixelSize{big_endian(*header, 8, 4), big_endian(*header, 12, 4)};
}

bool is_frame(unsigned char marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

/// Behind the start of the image: segments of a marker and a length, until the frame, which holds height and width.
std::optional<PixelSize> jpeg_size(std::istream& file) {
  for (int i = 0; i < kMostSegments; ++i) {
    const auto head = take<4>(file);
    if (!head || (*head)[0] != 0xFF) return std::nullopt;
    const std::uint32_t length = big_endian(*head, 2, 2);
    if (is_frame((*head)[1])) {
      const auto frame = take<5>(file);
      if (!frame) return std::nullopt;
      return PixelSize{big_endian(*frame, 3, 2), big_endian(*frame, 1, 2)};
    }
    if (length < 2) return std::nullopt;
    file.seekg(static_cast<std::streamoff>(length) - 2, std::ios::cur);
  }
  return std::nullopt;
}

}  // namespace

std::optional<PixelSize> picture_size(std::istream& file) {
  const auto start = take<2>(file);
  if (!start) return std::nullopt;
  std::optional<PixelSize> size;
  if ((*start)[0] == 0xFF && (*start)[1] == 0xD8) {
    size = jpeg_size(file);
  } else if (const auto rest = take<6>(file)) {
    std::string sign(start->begin(), start->end());
    sign.append(rest->begin(), rest->end());
    if (sign == kPngSign) size = png_size(file);
  }
  if (size && (size->width == 0 || size->height == 0)) return std::nullopt;
  return size;
}

std::optional<PixelSize> picture_size(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return picture_size(stream);
}

}  // namespace trireme
