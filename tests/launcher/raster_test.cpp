#include "launcher/raster.h"

#include <gtest/gtest.h>

#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

/// A picture with a text chunk behind its head; its checksum is nobody's business here.
std::string with_text(const std::string& keyword, const std::string& text) {
  constexpr std::size_t kHeadEnds = 33;  // signature and IHDR
  std::string png = png_bytes({4, 4, std::vector<std::uint8_t>(48, 9)}, "a picture");
  const std::string data = keyword + '\0' + text;
  std::string chunk{0, 0, static_cast<char>(data.size() >> 8), static_cast<char>(data.size())};
  return png.insert(kHeadEnds, chunk + "tEXt" + data + "crc.");
}

}  // namespace

TEST(Raster, FindsTheTextOfAPicture) {
  const TemporaryFolder folder;
  const auto file = folder.write("a.png", with_text("trireme", "{\"prompt\": \"a fox\"}"));
  EXPECT_EQ(png_text(file, "trireme"), "{\"prompt\": \"a fox\"}");
  EXPECT_FALSE(png_text(file, "trir").has_value());
  EXPECT_FALSE(png_text(file, "parameters").has_value());
  EXPECT_FALSE(png_text(folder / "missing.png", "trireme").has_value());
}

TEST(Raster, FindsTheWholeTextOrNoneInAPictureThatWasCutAnywhere) {
  const TemporaryFolder folder;
  const std::string whole = with_text("trireme", "a text");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto text = png_text(folder.write("a.png", whole.substr(0, length)), "trireme");
    EXPECT_TRUE(!text || *text == "a text") << length;
  }
}

TEST(Raster, IsNotLedAstrayByALengthThatIsTooLarge) {
  const TemporaryFolder folder;
  std::string png = with_text("trireme", "a text");
  png[33] = '\xff';
  EXPECT_FALSE(png_text(folder.write("a.png", png), "trireme").has_value());
}

}  // namespace trireme
