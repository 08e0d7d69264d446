#pragma once
// Picture files into pixels, by libpng and libjpeg-turbo. Nothing in a file is trusted: sizes are checked before memory
// is taken, and whatever is wrong is an ItemError "NAME: reason". Plain functions, on the CPU, any thread.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace trireme {

struct DecodeLimits {
  std::uint64_t bytes = 64u << 20;    // of the file
  std::uint64_t pixels = 89'478'485;  // 256 MiB of RGB: where Pillow begins to warn of bombs
};

/// A PNG or JPEG file, told apart by its first bytes -> RGB uint8 [H, W, 3], contiguous. As transformers' image loader
/// and processor take a file: turned upright by its EXIF orientation, transparency composited on white, grey and
/// palettes spread to RGB, 16 bits cut to 8, CMYK and YCCK converted. PNG pixels equal Pillow's; so do JPEG's with the
/// same libjpeg-turbo. `name` is what messages call the file.
at::Tensor decode_picture(std::string_view file, const std::string& name, const DecodeLimits& limits = {});

}  // namespace trireme
