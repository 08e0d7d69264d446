// Where a picture file says which way is up: a TIFF directory in its EXIF block, or an attribute of its XMP text.

#include "worker/vision/picture_codecs.h"

namespace trireme {
namespace {

constexpr std::uint16_t kOrientationTag = 0x0112, kShort = 3, kLong = 4;
constexpr std::size_t kEntryBytes = 12;

/// A TIFF header and what follows it; everything out of bounds reads as 0.
class Tiff {
 public:
  explicit Tiff(std::string_view bytes) : bytes_(bytes), big_(bytes.starts_with("MM")) {}
  std::uint32_t number(std::size_t at, std::size_t count) const {
    if (at > bytes_.size() || bytes_.size() - at < count) return 0;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto byte = static_cast<unsigned char>(bytes_[at + (big_ ? i : count - 1 - i)]);
      value = value << 8 | byte;
    }
    return value;
  }
  bool valid() const { return (bytes_.starts_with("MM") || bytes_.starts_with("II")) && number(2, 2) == 42; }

 private:
  std::string_view bytes_;
  bool big_;
};

int in_exif(std::string_view exif) {
  constexpr std::string_view kStart("Exif\0\0", 6);
  while (exif.starts_with(kStart)) exif.remove_prefix(kStart.size());
  const Tiff tiff(exif);
  if (!tiff.valid()) return 0;
  const std::size_t directory = tiff.number(4, 4);
  const std::uint32_t entries = tiff.number(directory, 2);
  for (std::uint32_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * kEntryBytes;
    if (tiff.number(entry, 2) != kOrientationTag || tiff.number(entry + 4, 4) != 1) continue;
    const std::uint32_t type = tiff.number(entry + 2, 2);
    return static_cast<int>(type == kShort ? tiff.number(entry + 8, 2) : type == kLong ? tiff.number(entry + 8, 4) : 0);
  }
  return 0;
}

int in_xmp(std::string_view xmp) {
  constexpr std::string_view kName = "tiff:Orientation";
  for (std::size_t at = xmp.find(kName); at != std::string_view::npos; at = xmp.find(kName, at + 1)) {
    std::string_view rest = xmp.substr(at + kName.size());
    if (rest.starts_with("=\"")) {
      rest.remove_prefix(2);
    } else if (rest.starts_with(">")) {
      rest.remove_prefix(1);
    } else {
      continue;
    }
    if (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') return rest[0] - '0';
  }
  return 0;
}

}  // namespace

int orientation_of(std::string_view exif, std::string_view xmp) {
  int orientation = in_exif(exif);
  if (orientation == 0) orientation = in_xmp(xmp);
  return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

}  // namespace trireme
