#include "tests/e2e/emoji_pictures.h"

#include <png.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <sstream>
#include <stdexcept>

namespace trireme::e2e {
namespace {

namespace fs = std::filesystem;

constexpr int cell = 32, columns = 40, side = 128, values = cell * cell * 3;

struct Pixels {
  int width = 0, height = 0;
  std::vector<std::uint8_t> bytes;  // [height, width, channels]
};

Pixels read(const fs::path& file, png_uint_32 format) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  if (png_image_begin_read_from_file(&image, file.c_str()) == 0) throw std::runtime_error(file.string() + ": no PNG");
  image.format = format;
  Pixels pixels{static_cast<int>(image.width), static_cast<int>(image.height),
                std::vector<std::uint8_t>(PNG_IMAGE_SIZE(image))};
  if (png_image_finish_read(&image, nullptr, pixels.bytes.data(), 0, nullptr) == 0) {
    throw std::runtime_error(file.string() + ": " + image.message);
  }
  return pixels;
}

std::vector<std::vector<float>> read_colours(const fs::path& file) {
  std::vector<std::vector<float>> colours;
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line.substr(line.find('\t')));
    colours.emplace_back(3);
    for (float& value : colours.back()) fields >> value;
  }
  if (colours.empty()) throw std::runtime_error(file.string() + " has no colours");
  return colours;
}

std::vector<float> on_colour(const Pixels& atlas, int number, const std::vector<float>& colour) {
  std::vector<float> picture;
  picture.reserve(values);
  for (int y = 0; y < cell; ++y) {
    for (int x = 0; x < cell; ++x) {
      const int row = number / columns * cell + y, column = number % columns * cell + x;
      const std::uint8_t* pixel = &atlas.bytes[4 * (static_cast<std::size_t>(row) * atlas.width + column)];
      const float alpha = pixel[3] / 255.0f;
      for (int c = 0; c < 3; ++c) picture.push_back(pixel[c] * alpha + colour[c] * (1 - alpha));
    }
  }
  return picture;
}

}  // namespace

int largest_difference(const fs::path& a, const fs::path& b) {
  const Pixels first = read(a, PNG_FORMAT_RGB), second = read(b, PNG_FORMAT_RGB);
  if (first.width != second.width || first.height != second.height) return 256;
  int largest = 0;
  for (std::size_t i = 0; i < first.bytes.size(); ++i) {
    largest = std::max(largest, std::abs(first.bytes[i] - second.bytes[i]));
  }
  return largest;
}

EmojiPictures::EmojiPictures(const fs::path& folder, int emoji) : emoji_{emoji} {
  const Pixels atlas = read(folder / "glyphs.png", PNG_FORMAT_RGBA);
  if (atlas.width != cell * columns || atlas.height < cell * ((emoji + columns - 1) / columns)) {
    throw std::runtime_error((folder / "glyphs.png").string() + " holds another number of emoji");
  }
  for (const std::vector<float>& colour : read_colours(folder / "backgrounds.tsv")) {
    for (int number = 0; number < emoji; ++number) pictures_.push_back(on_colour(atlas, number, colour));
  }
}

Seen EmojiPictures::nearest(const fs::path& png) const {
  const Pixels picture = read(png, PNG_FORMAT_RGB);
  if (picture.width != side || picture.height != side) throw std::runtime_error(png.string() + " is not 128x128");
  std::vector<float> small(values);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < 3 * side; ++x) {
      const int target = (y / 4 * cell + x / 3 / 4) * 3 + x % 3;
      small[target] += picture.bytes[static_cast<std::size_t>(y) * 3 * side + x] / 16.0f;
    }
  }
  int best = 0;
  float least = std::numeric_limits<float>::max();
  for (std::size_t number = 0; number < pictures_.size(); ++number) {
    float distance = 0;
    for (int i = 0; i < values; ++i) distance += (small[i] - pictures_[number][i]) * (small[i] - pictures_[number][i]);
    if (distance < least) least = distance, best = static_cast<int>(number);
  }
  return {best % emoji_, best / emoji_};
}

}  // namespace trireme::e2e
