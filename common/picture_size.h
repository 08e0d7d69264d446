#pragma once
// How large a picture is, as the first bytes of its file say: PNG and JPEG. Nothing is decoded; what can't be told is
// nothing, and no error.

#include <cstdint>
#include <filesystem>
#include <istream>
#include <optional>

namespace trireme {

struct PixelSize {
  std::uint32_t width = 0, height = 0;
  bool operator==(const PixelSize&) const = default;
};

std::optional<PixelSize> picture_size(std::istream& file);
std::optional<PixelSize> picture_size(const std::filesystem::path& file);

}  // namespace trireme
