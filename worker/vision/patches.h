#pragma once
// Pictures into rows of patches for a vision tower, as the default image processor of transformers makes them: resized
// on bytes to a multiple of the tower's cells, normalised, cut. The resized bytes and the pixel values are bit-equal to
// the reference's. Ref: transformers image_processing_qwen2_vl.py, image_processing_backends.py.

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

#include "worker/weights/model_files.h"

namespace trireme {

struct PatchConfig {
  std::int64_t patch = 14;            // pixels a side
  std::int64_t temporal = 2;          // frames a patch is deep: a picture is repeated
  std::int64_t merge = 2;             // patches a side of a cell, which becomes one token
  std::int64_t min_pixels = 56 * 56;  // of the resized picture
  std::int64_t max_pixels = 28 * 28 * 1280;
  std::array<float, 3> mean{}, std{};  // of bytes
};

/// preprocessor_config.json, or the image_processor of processor_config.json. Throws Error(bad_data) for steps that are
/// switched off or done in another way, naming file and key.
PatchConfig patch_config(const ModelFiles& files);

struct PictureSize {
  std::int64_t height = 0, width = 0;
  bool operator==(const PictureSize&) const = default;
};

/// The size that a picture is resized to. Throws ItemError for one more than 200 times as long as wide.
PictureSize resized_size(PictureSize size, const PatchConfig& config);

/// [H, W, 3] uint8 on the host -> [3, height, width] uint8 on the host.
at::Tensor resize_bytes(const at::Tensor& picture, PictureSize size);

/// [3, height, width] uint8 -> [patches, 3 * temporal * patch * patch] float32 on the same device. The patches of a
/// cell follow each other, and cells go row by row; a patch is channel, frame, row, column.
at::Tensor pixel_values(const at::Tensor& resized, const PatchConfig& config);

}  // namespace trireme
