#pragma once
// The font's emoji as the shipped model was trained on them, and which of them a picture shows.

#include <filesystem>
#include <string>
#include <vector>

namespace trireme::e2e {

/// Largest difference of two pictures' 8-bit values; 256 when the sizes differ. Throws std::runtime_error: no PNG.
int largest_difference(const std::filesystem::path& a, const std::filesystem::path& b);

struct Seen {
  int emoji = 0, background = 0;
};

class EmojiPictures {
 public:
  /// Reads glyphs.png (RGBA, cells of 32x32, 40 a row) and backgrounds.tsv of `folder` (tests/data/emoji).
  explicit EmojiPictures(const std::filesystem::path& folder, int emoji);

  /// The nearest of all emoji on all backgrounds, by squared distance of the 32x32 means. `png`: 128x128 pixels.
  Seen nearest(const std::filesystem::path& png) const;

 private:
  const int emoji_;
  std::vector<std::vector<float>> pictures_;  // [background * emoji] of [32 * 32 * 3]
};

}  // namespace trireme::e2e
