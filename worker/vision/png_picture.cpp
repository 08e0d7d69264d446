// PNG by libpng. Pixels become RGB as Pillow makes them, whose modes are named below; transparency goes on white.

#include <png.h>

#include <csetjmp>
#include <cstring>
#include <vector>

#include "common/errors.h"
#include "worker/vision/picture_codecs.h"

namespace trireme {
namespace {

constexpr png_uint_32 kLongestSide = 1'000'000;
constexpr png_alloc_size_t kLargestChunk = 8u << 20;

struct Reading {
  std::string_view rest;  // of the file
  std::string error;
  png_structp png = nullptr;
  png_infop info = nullptr;
  ~Reading() { png_destroy_read_struct(&png, &info, nullptr); }

  // The header.
  png_uint_32 width = 0, height = 0;
  int depth = 0, color = 0, passes = 1;
  png_size_t row_bytes = 0;
  png_colorp palette = nullptr;
  int palette_size = 0;
  png_bytep alphas = nullptr;  // of the palette's first entries
  int alpha_count = 0;
  png_color_16p transparent = nullptr;  // the color that stands for nothing
};

void on_error(png_structp png, png_const_charp message) {
  static_cast<Reading*>(png_get_error_ptr(png))->error = message;
  png_longjmp(png, 1);
}
void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep into, png_size_t count) {
  std::string_view& rest = static_cast<Reading*>(png_get_io_ptr(png))->rest;
  if (count > rest.size()) png_error(png, "the file is truncated");
  std::memcpy(into, rest.data(), count);
  rest.remove_prefix(count);
}

// The calls that may jump; nothing with a destructor is made in them. False: `error` says why.

bool read_header(Reading& r) {
  if (setjmp(png_jmpbuf(r.png))) return false;
  png_set_user_limits(r.png, kLongestSide, kLongestSide);
  png_set_chunk_malloc_max(r.png, kLargestChunk);
  png_set_read_fn(r.png, &r, on_read);
  png_read_info(r.png, r.info);
  png_get_IHDR(r.png, r.info, &r.width, &r.height, &r.depth, &r.color, nullptr, nullptr, nullptr);
  png_get_PLTE(r.png, r.info, &r.palette, &r.palette_size);
  png_get_tRNS(r.png, r.info, &r.alphas, &r.alpha_count, &r.transparent);
  if (r.depth < 8) png_set_packing(r.png);
  if (r.depth == 16 && r.color != PNG_COLOR_TYPE_GRAY) png_set_strip_16(r.png);
  r.passes = png_set_interlace_handling(r.png);
  png_read_update_info(r.png, r.info);
  r.row_bytes = png_get_rowbytes(r.png, r.info);
  return true;
}

/// `raw`: of all rows when interlaced, else of one; `row` takes each when it is complete.
template <class Row>
bool read_rows(Reading& r, std::vector<png_byte>& raw, const Row& row) {
  if (setjmp(png_jmpbuf(r.png))) return false;
  for (int pass = 0; pass < r.passes; ++pass) {
    for (png_uint_32 y = 0; y < r.height; ++y) {
      png_bytep into = raw.data() + (r.passes > 1 ? y * r.row_bytes : 0);
      png_read_row(r.png, into, nullptr);
      if (pass == r.passes - 1) row(y, into);
    }
  }
  png_read_end(r.png, r.info);
  return true;
}

/// As Pillow composites on white.
std::uint8_t on_white(unsigned value, unsigned alpha) {
  return static_cast<std::uint8_t>((2 * (value * alpha + 255 * (255 - alpha)) + 255) / 510);
}

struct Pixel {
  unsigned red, green, blue, alpha;
};

/// One row of what libpng gives -> RGB.
class Converter {
 public:
  explicit Converter(const Reading& r) : r_(r), scale_(r.depth < 8 ? 255u / ((1u << r.depth) - 1) : 1) {}

  void operator()(const png_byte* from, std::uint8_t* to) const {
    for (png_uint_32 x = 0; x < r_.width; ++x, to += 3) {
      const Pixel pixel = at(from, x);
      to[0] = on_white(pixel.red, pixel.alpha);
      to[1] = on_white(pixel.green, pixel.alpha);
      to[2] = on_white(pixel.blue, pixel.alpha);
    }
  }

 private:
  Pixel at(const png_byte* from, std::size_t x) const {
    switch (r_.color) {
      case PNG_COLOR_TYPE_PALETTE: {
        const int index = from[x];
        if (index >= r_.palette_size) return {0, 0, 0, 255};
        const png_color& color = r_.palette[index];
        return {color.red, color.green, color.blue, index < r_.alpha_count ? r_.alphas[index] : 255u};
      }
      case PNG_COLOR_TYPE_GRAY: {
        const unsigned grey = grey_at(from, x);
        // Compared as Pillow does: the low byte of the chunk with the value as it is shown.
        const bool nothing = r_.transparent != nullptr && grey == (r_.transparent->gray & 0xffu);
        return {grey, grey, grey, nothing ? 0u : 255u};
      }
      case PNG_COLOR_TYPE_GRAY_ALPHA: return {from[2 * x], from[2 * x], from[2 * x], from[2 * x + 1]};
      case PNG_COLOR_TYPE_RGB: {
        const png_byte* p = from + 3 * x;
        const bool nothing = r_.transparent != nullptr && p[0] == (r_.transparent->red & 0xff) &&
                             p[1] == (r_.transparent->green & 0xff) && p[2] == (r_.transparent->blue & 0xff);
        return {p[0], p[1], p[2], nothing ? 0u : 255u};
      }
      default: {
        const png_byte* p = from + 4 * x;
        return {p[0], p[1], p[2], p[3]};
      }
    }
  }

  /// Mode "I;16" turns into RGB by clipping, not by scaling.
  unsigned grey_at(const png_byte* from, std::size_t x) const {
    if (r_.depth == 16) return from[2 * x] != 0 ? 255 : from[2 * x + 1];
    return from[x] * scale_;
  }

  const Reading& r_;
  const unsigned scale_;
};

int orientation(const Reading& r) {
  png_bytep exif = nullptr;
  png_uint_32 exif_bytes = 0;
  png_get_eXIf_1(r.png, r.info, &exif_bytes, &exif);
  png_textp texts = nullptr;
  int count = 0;
  png_get_text(r.png, r.info, &texts, &count);
  std::string_view xmp;
  for (int i = 0; i < count; ++i) {
    if (std::strcmp(texts[i].key, "XML:com.adobe.xmp") == 0) xmp = texts[i].text;
  }
  return orientation_of({reinterpret_cast<const char*>(exif), exif_bytes}, xmp);
}

}  // namespace

DecodedFile decode_png(std::string_view file, const DecodeLimits& limits) {
  Reading r;
  r.rest = file;
  r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning);
  if (r.png != nullptr) r.info = png_create_info_struct(r.png);
  if (r.info == nullptr) {
    throw Error(ExitCode::internal, "libpng " PNG_LIBPNG_VER_STRING " does not start; is it another version?");
  }
  if (!read_header(r)) throw ItemError("damaged PNG: " + r.error);
  const at::Tensor pixels = new_picture(r.width, r.height, limits);
  std::vector<png_byte> raw(r.row_bytes * (r.passes > 1 ? r.height : 1));
  auto* to = pixels.data_ptr<std::uint8_t>();
  const Converter convert(r);
  const bool complete = read_rows(r, raw, [&](png_uint_32 y, const png_byte* row) {
    convert(row, to + static_cast<std::size_t>(y) * r.width * 3);
  });
  if (!complete) throw ItemError("damaged PNG: " + r.error);
  return {pixels, orientation(r)};
}

}  // namespace trireme
