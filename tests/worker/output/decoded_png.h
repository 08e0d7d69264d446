#pragma once
// A PNG read back by libpng, for tests.

#include <png.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace trireme {

struct DecodedPng {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;
  std::map<std::string, std::string> latin1, utf8;  // texts of tEXt and of iTXt chunks
};

inline DecodedPng decode_png(const std::string& bytes) {
  const char* at = bytes.data();
  png_structp png = png_create_read_struct(
      PNG_LIBPNG_VER_STRING, nullptr, [](png_structp, png_const_charp message) { throw std::runtime_error(message); },
      nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_read_fn(png, &at, [](png_structp p, png_bytep into, png_size_t count) {
    const char*& from = *static_cast<const char**>(png_get_io_ptr(p));
    std::memcpy(into, from, count);
    from += count;
  });
  png_read_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  DecodedPng decoded;
  decoded.width = static_cast<int>(png_get_image_width(png, info));
  decoded.height = static_cast<int>(png_get_image_height(png, info));
  if (png_get_color_type(png, info) != PNG_COLOR_TYPE_RGB || png_get_bit_depth(png, info) != 8) {
    throw std::runtime_error("not 8-bit RGB");
  }
  png_bytepp rows = png_get_rows(png, info);
  for (int y = 0; y < decoded.height; ++y) {
    decoded.pixels.insert(decoded.pixels.end(), rows[y], rows[y] + decoded.width * 3);
  }
  png_textp texts = nullptr;
  int count = 0;
  png_get_text(png, info, &texts, &count);
  for (int i = 0; i < count; ++i) {
    const bool itxt = texts[i].compression == PNG_ITXT_COMPRESSION_NONE;
    (itxt ? decoded.utf8 : decoded.latin1)[texts[i].key] =
        std::string(texts[i].text, itxt ? texts[i].itxt_length : texts[i].text_length);
  }
  png_destroy_read_struct(&png, &info, nullptr);
  return decoded;
}

}  // namespace trireme
