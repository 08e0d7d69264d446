#include "worker/vision/tiling.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

namespace trireme {
namespace {

constexpr double kOverlap = 0.25;
constexpr std::int64_t kLargestWhole = 1536 * 1536;  // pixels

/// Fades from the last `extent` rows (dimension 2) or columns (3) of `before` into the first of `tile`, in place.
void blend(const at::Tensor& before, const at::Tensor& tile, std::int64_t dimension, std::int64_t extent) {
  extent = std::min({before.size(dimension), tile.size(dimension), extent});
  std::vector<std::int64_t> shape(4, 1);
  shape[static_cast<std::size_t>(dimension)] = extent;
  const at::Tensor share = (at::arange(extent, tile.options().dtype(at::kDouble)) / extent).reshape(shape);
  const at::Tensor new_share = share.to(at::kFloat), old_share = (1 - share).to(at::kFloat);
  const at::Tensor old_end = before.slice(dimension, before.size(dimension) - extent);
  const at::Tensor start = tile.slice(dimension, 0, extent);
  start.copy_(old_end * old_share + start * new_share);
}

}  // namespace

std::optional<Tiling> choose_tiling(const AutoencoderConfig& config, std::int64_t height, std::int64_t width,
                                    std::optional<bool> wanted, int halved) {
  const std::int64_t factor = config.factor(), pixels = config.sample_size >> halved;
  Tiling tiling;
  tiling.tile = std::max<std::int64_t>(1, pixels / factor);
  if (halved > 0) wanted = true;
  if (!wanted.value_or(height * width * factor * factor > kLargestWhole)) return std::nullopt;
  if (height <= tiling.tile && width <= tiling.tile) return std::nullopt;
  tiling.stride = static_cast<std::int64_t>(static_cast<double>(tiling.tile) * (1 - kOverlap));
  tiling.blend_pixels = static_cast<std::int64_t>(static_cast<double>(pixels) * kOverlap);
  tiling.keep_pixels = pixels - tiling.blend_pixels;
  tiling.rows = (height + tiling.stride - 1) / tiling.stride;
  tiling.columns = (width + tiling.stride - 1) / tiling.stride;
  return tiling;
}

at::Tensor cut_tile(const Tiling& tiling, const at::Tensor& latents, std::int64_t row, std::int64_t column) {
  const std::int64_t top = row * tiling.stride, left = column * tiling.stride;
  return latents.slice(2, top, std::min(top + tiling.tile, latents.size(2)))
      .slice(3, left, std::min(left + tiling.tile, latents.size(3)));
}

void TileJoiner::add(at::Tensor tile) {
  const std::size_t column = row_.size();
  if (!row_above_.empty()) blend(row_above_[column], tile, 2, tiling_.blend_pixels);
  if (column > 0) blend(row_.back(), tile, 3, tiling_.blend_pixels);
  row_.push_back(std::move(tile));
  if (static_cast<std::int64_t>(row_.size()) < tiling_.columns) return;
  std::vector<at::Tensor> kept;
  for (const at::Tensor& t : row_) kept.push_back(t.slice(2, 0, tiling_.keep_pixels).slice(3, 0, tiling_.keep_pixels));
  finished_.push_back(at::cat(kept, 3));
  row_above_ = std::exchange(row_, {});
}

at::Tensor TileJoiner::finish() const { return at::cat(finished_, 2); }

}  // namespace trireme
