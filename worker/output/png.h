#pragma once
// PNG by libpng. Equal pixels and texts give equal bytes (with the same libpng and zlib): no time, no host. Any thread.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace trireme {

/// A text chunk, UTF-8. Written as tEXt where Latin-1 holds it, which every reader understands, else as iTXt.
struct PngText {
  std::string keyword;  // 1 to 79 Latin-1 characters
  std::string text;     // NUL, which PNG can't hold, becomes U+FFFD
};

/// pixels uint8 RGB [height, width, 3]. Throws ItemError when libpng refuses, such as more than a million pixels a
/// side.
std::string encode_png(std::span<const std::uint8_t> pixels, int width, int height, const std::vector<PngText>& texts);

}  // namespace trireme
