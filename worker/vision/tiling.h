#pragma once
// Decoding large pictures in overlapping tiles whose seams are blended, so that memory does not grow with the picture.
// Tiles change the numbers (group norm and attention see a tile), so whether there are tiles is decided by shape alone.
// Ref: diffusers autoencoder_kl.py tiled_decode.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "worker/vision/autoencoder_kl.h"

namespace trireme {

/// Cuts of one picture. Lengths in latents, or in pixels where the name says so.
struct Tiling {
  std::int64_t tile = 0, stride = 0;               // a tile is `tile` wide and high, the next begins `stride` further
  std::int64_t blend_pixels = 0, keep_pixels = 0;  // overlap that is blended; what a tile gives to the picture
  std::int64_t rows = 1, columns = 1;
};

/// Nothing = decode in one piece. `wanted`: memory.vae_tiling; auto tiles pictures above 1536 x 1536 pixels. A picture
/// that fits in one tile is never cut. `halved`: tiles are wanted, and smaller: halved in each direction so many times.
std::optional<Tiling> choose_tiling(const AutoencoderConfig& config, std::int64_t height, std::int64_t width,
                                    std::optional<bool> wanted, int halved = 0);

/// The part of latents [1, C, h, w] that tile (row, column) decodes.
at::Tensor cut_tile(const Tiling& tiling, const at::Tensor& latents, std::int64_t row, std::int64_t column);

/// Joins decoded tiles, given row by row, into [1, channels, H, W]. Keeps one row of tiles besides the finished rows.
class TileJoiner {
 public:
  explicit TileJoiner(const Tiling& tiling) : tiling_(tiling) {}
  void add(at::Tensor tile);
  at::Tensor finish() const;

 private:
  Tiling tiling_;
  std::vector<at::Tensor> row_above_, row_, finished_;
};

}  // namespace trireme
