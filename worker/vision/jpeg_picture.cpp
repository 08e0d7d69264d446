// JPEG by libjpeg-turbo, with its defaults: the accurate integer transform and smooth upsampling, as Pillow has them.

// jpeglib.h wants these before it.
#include <cstddef>
#include <cstdio>

#include <jerror.h>
#include <jpeglib.h>

#include <csetjmp>
#include <cstring>
#include <vector>

#include "common/errors.h"
#include "worker/vision/picture_codecs.h"

namespace trireme {
namespace {

constexpr int kMostScans = 100;  // each costs a pass over the picture; real files have about ten

struct Reading {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf jump{};
  char error[JMSG_LENGTH_MAX] = "";
  bool created = false;
  ~Reading() {
    if (created) jpeg_destroy_decompress(&jpeg);
  }
};

Reading& reading_of(j_common_ptr jpeg) { return *static_cast<Reading*>(jpeg->client_data); }

[[noreturn]] void fail(j_common_ptr jpeg, const char* why) {
  Reading& r = reading_of(jpeg);
  std::snprintf(r.error, sizeof r.error, "%s", why);
  std::longjmp(r.jump, 1);
}

void on_error(j_common_ptr jpeg) {
  char why[JMSG_LENGTH_MAX];
  jpeg->err->format_message(jpeg, why);
  fail(jpeg, why);
}

/// Warnings are let pass, as Pillow does, but for the end of the file: the rest of the picture would be grey.
void on_message(j_common_ptr jpeg, int level) {
  if (level < 0 && jpeg->err->msg_code == JWRN_JPEG_EOF) fail(jpeg, "the file is truncated");
}

void on_progress(j_common_ptr jpeg) {
  const auto* decompress = reinterpret_cast<j_decompress_ptr>(jpeg);
  if (decompress->input_scan_number > kMostScans) fail(jpeg, "more scans than any picture needs");
}

// The calls that may jump; nothing with a destructor is made in them. False: `error` says why.

bool read_header(Reading& r, std::string_view file) {
  if (setjmp(r.jump)) return false;
  jpeg_create_decompress(&r.jpeg);
  r.created = true;
  r.jpeg.client_data = &r;
  r.jpeg.progress = &r.progress;
  jpeg_mem_src(&r.jpeg, reinterpret_cast<const unsigned char*>(file.data()), file.size());
  jpeg_save_markers(&r.jpeg, JPEG_APP0 + 1, 0xffff);
  jpeg_read_header(&r.jpeg, TRUE);
  switch (r.jpeg.num_components) {
    case 1: r.jpeg.out_color_space = JCS_GRAYSCALE; break;
    case 3: r.jpeg.out_color_space = JCS_RGB; break;
    case 4: r.jpeg.out_color_space = JCS_CMYK; break;
    default: fail(reinterpret_cast<j_common_ptr>(&r.jpeg), "neither 1, 3 nor 4 components");
  }
  return true;
}

template <class Row>
bool read_rows(Reading& r, std::vector<JSAMPLE>& raw, const Row& row) {
  if (setjmp(r.jump)) return false;
  jpeg_start_decompress(&r.jpeg);
  while (r.jpeg.output_scanline < r.jpeg.output_height) {
    const JDIMENSION y = r.jpeg.output_scanline;
    JSAMPROW into = raw.data();
    jpeg_read_scanlines(&r.jpeg, &into, 1);
    row(y, raw.data());
  }
  return true;
}

/// Inverted, as Adobe's programs and so nearly all write it. Ref: Pillow libImaging/Convert.c cmyk2rgb.
std::uint8_t ink(unsigned inverted, unsigned white) {
  const unsigned product = (255 - inverted) * white + 128;
  return static_cast<std::uint8_t>(white - ((product >> 8) + product) / 256);
}

void to_rgb(const JSAMPLE* from, int components, JDIMENSION width, std::uint8_t* to) {
  if (components == 3) {
    std::memcpy(to, from, std::size_t{3} * width);
    return;
  }
  for (JDIMENSION x = 0; x < width; ++x, from += components, to += 3) {
    for (int c = 0; c < 3; ++c) to[c] = components == 1 ? from[0] : ink(from[c], from[3]);
  }
}

int orientation(const Reading& r) {
  constexpr std::string_view kExif("Exif\0\0", 6), kXmp("http://ns.adobe.com/xap/1.0/\0", 29);
  std::string exif, xmp;
  for (const auto* marker = r.jpeg.marker_list; marker != nullptr; marker = marker->next) {
    std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.starts_with(kExif)) exif += data.substr(kExif.size());  // a long block goes on in the next segment
    if (data.starts_with(kXmp)) xmp = data.substr(kXmp.size());
  }
  return orientation_of(exif, xmp);
}

}  // namespace

DecodedFile decode_jpeg(std::string_view file, const DecodeLimits& limits) {
  Reading r;
  r.jpeg.err = jpeg_std_error(&r.errors);
  r.errors.error_exit = on_error;
  r.errors.emit_message = on_message;
  r.progress.progress_monitor = on_progress;
  r.jpeg.client_data = &r;
  if (!read_header(r, file)) throw ItemError(std::string("damaged JPEG: ") + r.error);
  const at::Tensor pixels = new_picture(r.jpeg.image_width, r.jpeg.image_height, limits);
  std::vector<JSAMPLE> raw(static_cast<std::size_t>(r.jpeg.image_width) * r.jpeg.num_components);
  auto* to = pixels.data_ptr<std::uint8_t>();
  const bool complete = read_rows(r, raw, [&](JDIMENSION y, const JSAMPLE* row) {
    to_rgb(row, r.jpeg.num_components, r.jpeg.image_width, to + static_cast<std::size_t>(y) * r.jpeg.image_width * 3);
  });
  if (!complete) throw ItemError(std::string("damaged JPEG: ") + r.error);
  return {pixels, orientation(r)};
}

}  // namespace trireme
