#include "worker/vision/picture.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "tests/worker/golden.h"

namespace trireme {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class Pictures : public testing::Test {
 protected:
  std::string file(const std::string& name) const {
    const at::Tensor& bytes = golden_.at(name + ".file");
    return {reinterpret_cast<const char*>(bytes.const_data_ptr<std::uint8_t>()),
            static_cast<std::size_t>(bytes.numel())};
  }
  std::vector<std::string> names(const std::string& kind) const {
    std::vector<std::string> found;
    for (const auto& [key, tensor] : golden_) {
      if (key.starts_with(kind) && key.ends_with(".file")) found.push_back(key.substr(0, key.size() - 5));
    }
    return found;
  }
  static std::string refusal(const std::string& bytes, const DecodeLimits& limits = {}) {
    try {
      decode_picture(bytes, "cat.png", limits);
    } catch (const ItemError& e) {
      return e.what();
    }
    return "";
  }

  const std::map<std::string, at::Tensor> golden_ = test::read_tensors(test::golden_folder() / "pictures.safetensors");
};

}  // namespace

TEST_F(Pictures, PngPixelsAreThoseOfTheReference) {
  const std::vector<std::string> all = names("png_");
  EXPECT_EQ(all.size(), 38u);
  for (const std::string& name : all) {
    const at::Tensor pixels = decode_picture(file(name), name);
    ASSERT_EQ(pixels.sizes(), golden_.at(name + ".pixels").sizes()) << name;
    EXPECT_TRUE(pixels.is_contiguous()) << name;
    EXPECT_EQ(test::absolute_error(pixels, golden_.at(name + ".pixels")), 0) << name;
  }
}

// Equal, since libjpeg-turbo's accurate integer transform and upsampling have not changed between its versions.
TEST_F(Pictures, JpegPixelsAreThoseOfTheReference) {
  const std::vector<std::string> all = names("jpeg_");
  EXPECT_EQ(all.size(), 19u);
  for (const std::string& name : all) {
    const at::Tensor pixels = decode_picture(file(name), name);
    ASSERT_EQ(pixels.sizes(), golden_.at(name + ".pixels").sizes()) << name;
    EXPECT_TRUE(pixels.is_contiguous()) << name;
    EXPECT_EQ(test::absolute_error(pixels, golden_.at(name + ".pixels")), 0) << name;
  }
}

// A file that has lost its end never gives a picture, but for JPEG's last marker, which no pixel needs.
TEST_F(Pictures, RefusesFilesCutAnywhere) {
  for (const char* name :
       {"png_rgba8", "png_rgba8_interlaced", "png_palette4_alphas", "jpeg_rgb_2", "jpeg_progressive"}) {
    const std::string whole = file(name);
    for (std::size_t length = 0; length + 2 < whole.size(); ++length) {
      EXPECT_THAT(refusal(whole.substr(0, length)), StartsWith("cat.png: ")) << name << " cut at " << length;
    }
  }
  EXPECT_EQ(refusal(file("jpeg_rgb_2").substr(0, 500)), "cat.png: damaged JPEG: the file is truncated");
  EXPECT_EQ(refusal(file("png_rgba8").substr(0, 100)), "cat.png: damaged PNG: the file is truncated");
}

// Every picture or an ItemError, and nothing read out of bounds.
TEST_F(Pictures, SurvivesDamageInEveryByte) {
  for (const char* name : {"png_palette2_hole", "png_grey16_transparent", "jpeg_exif6", "jpeg_cmyk"}) {
    const std::string whole = file(name);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
      try {
        decode_picture(damaged, name, {.pixels = 1 << 20});
      } catch (const ItemError&) {
      }
    }
  }
}

TEST_F(Pictures, SaysWhatIsWrongWithWhichFile) {
  EXPECT_EQ(refusal(""), "cat.png: the file is empty");
  EXPECT_EQ(refusal("GIF89a, say"), "cat.png: neither PNG nor JPEG");
  EXPECT_THAT(refusal(file("png_rgb8"), {.bytes = 20}), AllOf(HasSubstr("bytes"), HasSubstr("at most 20")));
  EXPECT_EQ(refusal(file("png_rgb8"), {.pixels = 90}), "cat.png: the picture has 13 x 7 pixels, at most 90 are taken");
  EXPECT_THAT(refusal(file("jpeg_grey"), {.pixels = 776}), HasSubstr("37 x 21 pixels, at most 776"));
  EXPECT_EQ(refusal(file("jpeg_grey"), {.pixels = 777}), "");
}

// A small file that claims a large picture is refused by its size, before memory is taken.
TEST_F(Pictures, RefusesABombByItsHeader) {
  std::string bomb = file("jpeg_rgb_0");
  const auto frame = bomb.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  for (int i = 5; i < 9; ++i) bomb[frame + static_cast<std::size_t>(i)] = '\x7f';  // 32639 x 32639
  EXPECT_THAT(refusal(bomb), HasSubstr("32639 x 32639 pixels, at most 89478485 are taken"));
}

}  // namespace trireme
