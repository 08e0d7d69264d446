#include "worker/models/qwen2_5_vl/vision_layout.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace trireme::qwen2_5_vl {
namespace {

constexpr double kRopeTheta = 10000;

/// Cells of one window, in reading order.
using Window = std::vector<std::int64_t>;

std::vector<Window> cut_windows(std::int64_t rows, std::int64_t columns, std::int64_t side) {
  std::vector<Window> windows;
  for (std::int64_t top = 0; top < rows; top += side) {
    for (std::int64_t left = 0; left < columns; left += side) {
      Window& window = windows.emplace_back();
      for (std::int64_t row = top; row < std::min(top + side, rows); ++row) {
        for (std::int64_t column = left; column < std::min(left + side, columns); ++column) {
          window.push_back(row * columns + column);
        }
      }
    }
  }
  return windows;
}

/// A quarter of a head turns by the row and the next by the column of each patch; the other half of the head, which is
/// turned along, has the same angles.
nn::RopeTable patch_rope(const VisionLayout& layout, const VisionConfig& config) {
  const std::int64_t columns = layout.width / config.merge;
  std::vector<std::int64_t> rows_of, columns_of;
  for (const std::int64_t cell : layout.order) {
    for (std::int64_t inner = 0; inner < config.cell(); ++inner) {
      rows_of.push_back(cell / columns * config.merge + inner / config.merge);
      columns_of.push_back(cell % columns * config.merge + inner % config.merge);
    }
  }
  const auto table = [&](std::vector<std::int64_t>& positions) {
    const auto count = static_cast<std::int64_t>(positions.size());
    const at::Tensor list = at::from_blob(positions.data(), {count}, at::kLong);
    return nn::rope_table(list, config.head_dim() / 2, {.theta = kRopeTheta});
  };
  const nn::RopeTable by_row = table(rows_of), by_column = table(columns_of);
  return {at::cat({by_row.cos, by_column.cos}, 1), at::cat({by_row.sin, by_column.sin}, 1)};
}

}  // namespace

VisionLayout vision_layout(std::int64_t height, std::int64_t width, const VisionConfig& config) {
  VisionLayout layout;
  layout.height = height, layout.width = width;
  std::vector<Window> windows = cut_windows(height / config.merge, width / config.merge, config.window);
  std::stable_sort(windows.begin(), windows.end(),
                   [](const Window& a, const Window& b) { return a.size() > b.size(); });
  for (const Window& window : windows) {
    const std::int64_t length = static_cast<std::int64_t>(window.size()) * config.cell();
    if (layout.windows.empty() || layout.windows.back().length != length) layout.windows.push_back({0, length});
    ++layout.windows.back().count;
    layout.order.insert(layout.order.end(), window.begin(), window.end());
  }
  layout.whole = {{1, layout.patches()}};
  layout.reading.resize(layout.order.size());
  for (std::size_t place = 0; place < layout.order.size(); ++place) {
    layout.reading[static_cast<std::size_t>(layout.order[place])] = static_cast<std::int64_t>(place);
  }
  layout.rope = patch_rope(layout, config);
  return layout;
}

}  // namespace trireme::qwen2_5_vl
