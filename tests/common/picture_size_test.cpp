#include "common/picture_size.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace trireme {
namespace {

using namespace std::string_literals;

std::optional<PixelSize> size_of(const std::string& bytes) {
  std::istringstream file(bytes);
  return picture_size(file);
}

const std::string kPng = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x30\0\0\x01\xa4\x08\x02\0\0\0"s;
const std::string kApp = "\xff\xe0\x00\x06JFIF"s;
const std::string kFrame = "\xff\xc2\x00\x11\x08\x01\xc0\x02\x80\x03"s;

TEST(PictureSize, IsReadFromTheFirstBytesOfPngAndJpeg) {
  EXPECT_EQ(size_of(kPng), (PixelSize{560, 420}));
  EXPECT_EQ(size_of("\xff\xd8"s + kApp + kFrame), (PixelSize{640, 448}));
  EXPECT_EQ(picture_size(std::filesystem::path(TRIREME_SOURCE_DIR) / "configs/prompts/pictures/scene.jpg"),
            (PixelSize{640, 448}));
  EXPECT_EQ(picture_size(std::filesystem::path(TRIREME_SOURCE_DIR) / "configs/prompts/pictures/chart.png"),
            (PixelSize{560, 420}));
}

TEST(PictureSize, IsUnknownForWhatIsNoPictureOrIsCutAtAnyByte) {
  EXPECT_EQ(picture_size(std::filesystem::path("there/is/no/such.png")), std::nullopt);
  EXPECT_EQ(size_of("GIF89a of another kind of picture"), std::nullopt);
  EXPECT_EQ(size_of("\xff\xd8\xff\xe0\x00\x01"s), std::nullopt) << "a segment shorter than its own length";
  EXPECT_EQ(size_of("\xff\xd8\xff\xc0\x00\x11\x08\0\0\x02\x80\x03"s), std::nullopt) << "no rows";
  const std::string jpeg = "\xff\xd8"s + kApp + kFrame;
  for (std::size_t length = 0; length < 24; ++length) EXPECT_EQ(size_of(kPng.substr(0, length)), std::nullopt);
  for (std::size_t length = 0; length < jpeg.size() - 1; ++length) {
    EXPECT_EQ(size_of(jpeg.substr(0, length)), std::nullopt) << length;
  }
}

}  // namespace
}  // namespace trireme
