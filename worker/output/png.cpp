#include "worker/output/png.h"

#include <png.h>
#include <zlib.h>

#include <csetjmp>
#include <optional>

#include "common/errors.h"
#include "common/utf8.h"

namespace trireme {
namespace {

// Measured on one core of an EPYC, 1024 x 1024, libpng 1.6.39, zlib 1.2.13: milliseconds and KB of
//                              photo        photo + grain   smooth + grain   noise
//   default (level 6, all)     633  1467    520  1742       894  1417        203  3078
//   level 1, all               133  1631    146  1945       140  1678        201  3078
//   level 1, up                 95  1829    101  2122        81  1791        135  3078
//   level 1 run-length, paeth   90  1479     77  1741        98  1399         80  3078
//   stored (level 0)             8  3078      2  3078         2  3078          2  3078
// Pictures hold few repeats but of one value, so that looking for longer ones costs time and gains nothing.
constexpr int kLevel = 1, kStrategy = Z_RLE, kFilter = PNG_FILTER_PAETH;

struct Sheet {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::string bytes;
  std::string error;
  ~Sheet() { png_destroy_write_struct(&png, &info); }
};

void on_error(png_structp png, png_const_charp message) {
  static_cast<Sheet*>(png_get_error_ptr(png))->error = message;
  png_longjmp(png, 1);
}
void on_warning(png_structp, png_const_charp) {}
void on_write(png_structp png, png_bytep data, png_size_t count) {
  static_cast<Sheet*>(png_get_io_ptr(png))->bytes.append(reinterpret_cast<const char*>(data), count);
}
void on_flush(png_structp) {}

/// Nothing when a character is beyond U+00FF.
std::optional<std::string> to_latin1(std::string_view utf8) {
  std::string latin1;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if (byte < 0x80) {
      latin1 += utf8[i];
    } else if ((byte == 0xc2 || byte == 0xc3) && i + 1 < utf8.size()) {
      latin1 += static_cast<char>((byte & 3) << 6 | (static_cast<unsigned char>(utf8[++i]) & 0x3f));
    } else {
      return std::nullopt;
    }
  }
  return latin1;
}

struct Chunk {
  std::string keyword, text;
  bool latin1;
};

Chunk chunk_of(const PngText& given) {
  std::string text;
  for (const char c : given.text) c == '\0' ? text += "\xEF\xBF\xBD" : text += c;
  const std::optional<std::string> latin1 = to_latin1(text);
  return {given.keyword, latin1 ? *latin1 : text, latin1.has_value()};
}

/// All calls that may jump; nothing with a destructor is made here. False: `sheet.error` says why.
bool write(Sheet& sheet, const std::uint8_t* pixels, int width, int height, std::vector<png_text>& texts) {
  if (setjmp(png_jmpbuf(sheet.png))) return false;
  png_set_write_fn(sheet.png, &sheet, on_write, on_flush);
  png_set_IHDR(sheet.png, sheet.info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), 8,
               PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_compression_level(sheet.png, kLevel);
  png_set_compression_strategy(sheet.png, kStrategy);
  png_set_filter(sheet.png, PNG_FILTER_TYPE_BASE, kFilter);
  if (!texts.empty()) png_set_text(sheet.png, sheet.info, texts.data(), static_cast<int>(texts.size()));
  png_write_info(sheet.png, sheet.info);
  for (int y = 0; y < height; ++y) png_write_row(sheet.png, pixels + static_cast<std::size_t>(y) * width * 3);
  png_write_end(sheet.png, sheet.info);
  return true;
}

}  // namespace

std::string encode_png(std::span<const std::uint8_t> pixels, int width, int height, const std::vector<PngText>& given) {
  if (width < 1 || height < 1 || pixels.size() != static_cast<std::size_t>(width) * height * 3) {
    throw Error(ExitCode::internal, "a picture of " + std::to_string(width) + " x " + std::to_string(height) + " has " +
                                        std::to_string(pixels.size()) + " bytes");
  }
  std::vector<Chunk> chunks;
  for (const PngText& text : given) chunks.push_back(chunk_of(text));
  std::vector<png_text> texts;
  char no_language[] = "";
  for (Chunk& chunk : chunks) {
    png_text text{};
    text.compression = chunk.latin1 ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
    text.key = chunk.keyword.data();
    text.text = chunk.text.data();
    (chunk.latin1 ? text.text_length : text.itxt_length) = chunk.text.size();
    text.lang = no_language;
    text.lang_key = no_language;
    texts.push_back(text);
  }
  Sheet sheet;
  sheet.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &sheet, on_error, on_warning);
  if (sheet.png) sheet.info = png_create_info_struct(sheet.png);
  if (!sheet.info)
    throw Error(ExitCode::internal, "libpng " PNG_LIBPNG_VER_STRING " does not start; is it another version?");
  sheet.bytes.reserve(pixels.size() / 2);
  if (!write(sheet, pixels.data(), width, height, texts)) throw ItemError("libpng: " + sheet.error);
  return std::move(sheet.bytes);
}

}  // namespace trireme
