#include "worker/vision/picture.h"

#include "common/errors.h"
#include "common/utf8.h"
#include "worker/vision/picture_codecs.h"

namespace trireme {
namespace {

constexpr std::string_view kPngSign("\x89PNG\r\n\x1a\n", 8), kJpegSign("\xff\xd8\xff", 3);

DecodedFile decode(std::string_view file, const DecodeLimits& limits) {
  if (file.empty()) throw ItemError("the file is empty");
  if (file.size() > limits.bytes) {
    throw ItemError("the file has " + std::to_string(file.size()) + " bytes, at most " + std::to_string(limits.bytes) +
                    " are taken");
  }
  if (file.starts_with(kPngSign)) return decode_png(file, limits);
  if (file.starts_with(kJpegSign)) return decode_jpeg(file, limits);
  throw ItemError("neither PNG nor JPEG");
}

at::Tensor turn_upright(const at::Tensor& pixels, int orientation) {
  switch (orientation) {
    case 2: return pixels.flip(1);
    case 3: return pixels.flip({0, 1});
    case 4: return pixels.flip(0);
    case 5: return pixels.transpose(0, 1).contiguous();
    case 6: return pixels.flip(0).transpose(0, 1).contiguous();
    case 7: return pixels.flip({0, 1}).transpose(0, 1).contiguous();
    case 8: return pixels.flip(1).transpose(0, 1).contiguous();
    default: return pixels;
  }
}

}  // namespace

at::Tensor new_picture(std::uint64_t width, std::uint64_t height, const DecodeLimits& limits) {
  if (width == 0 || height == 0) throw ItemError("the picture has no pixels");
  if (width > limits.pixels / height) {
    throw ItemError("the picture has " + std::to_string(width) + " x " + std::to_string(height) + " pixels, at most " +
                    std::to_string(limits.pixels) + " are taken");
  }
  return at::empty({static_cast<std::int64_t>(height), static_cast<std::int64_t>(width), 3}, at::kByte);
}

at::Tensor decode_picture(std::string_view file, const std::string& name, const DecodeLimits& limits) {
  try {
    const DecodedFile decoded = decode(file, limits);
    return turn_upright(decoded.pixels, decoded.orientation);
  } catch (const ItemError& e) {
    throw ItemError(printable(name, 300) + ": " + e.what());
  }
}

}  // namespace trireme
