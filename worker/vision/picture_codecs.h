#pragma once
// The two codecs behind picture.h, and what they find beside the pixels. Both throw ItemError with the bare reason.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string_view>

#include "worker/vision/picture.h"

namespace trireme {

struct DecodedFile {
  at::Tensor pixels;    // RGB uint8 [H, W, 3] as stored, not turned yet
  int orientation = 1;  // EXIF, 1 to 8
};

DecodedFile decode_png(std::string_view file, const DecodeLimits& limits);
DecodedFile decode_jpeg(std::string_view file, const DecodeLimits& limits);

/// The orientation of an EXIF block (with or without its "Exif\0\0"), or where it has none that of an XMP text; 1 when
/// neither says. Damage counts as saying nothing. Ref: Pillow Image.getexif.
int orientation_of(std::string_view exif, std::string_view xmp);

/// The bare pixels of a picture of this size; throws ItemError when it is too large or has none.
at::Tensor new_picture(std::uint64_t width, std::uint64_t height, const DecodeLimits& limits);

}  // namespace trireme
