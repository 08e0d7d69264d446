#pragma once
// Where the patches of one picture stand in the vision tower: cell by cell, window by window, windows of equal length
// side by side so that they run as one batch. Attention does not mind the order of windows, and the tower's end puts
// the cells back. Plain arithmetic on the host. Ref: transformers vision_utils.py get_vision_window_index.

#include <cstdint>
#include <vector>

#include "worker/models/qwen2_5_vl/config.h"
#include "worker/nn/attention.h"
#include "worker/nn/rope.h"

namespace trireme::qwen2_5_vl {

struct VisionLayout {
  std::int64_t height = 0, width = 0;        // patches
  std::vector<std::int64_t> order;           // cells in the tower's order, as indices in reading order
  std::vector<std::int64_t> reading;         // the inverse: places in the tower in reading order
  std::vector<nn::Segments> windows, whole;  // of the tower's rows, in patches
  nn::RopeTable rope;                        // of the tower's rows, on the host

  std::int64_t patches() const { return height * width; }
};

/// height, width: patches, multiples of config.merge.
VisionLayout vision_layout(std::int64_t height, std::int64_t width, const VisionConfig& config);

}  // namespace trireme::qwen2_5_vl
