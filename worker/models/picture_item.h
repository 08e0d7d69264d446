#pragma once
// What families that make pictures say about one item: whether it can be made, and what it came to.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "common/item.h"
#include "worker/models/model.h"

namespace trireme {

/// Sizes that a model can make.
struct PictureSizes {
  std::int64_t token = 0;                        // pixels along a side of an image token
  std::int64_t most_rows = 0, most_columns = 0;  // of image tokens
};

/// Throws ItemError for a size that is not one of them, and for less than one step.
void check_picture_item(const Item& item, const PictureSizes& sizes);

/// image [3, H, W] float32 as the decoder makes it, latents [C, h, w] float32 and text features [caption, caption_dim];
/// undefined features: only the picture is wanted, no tensors.
Result picture_result(const std::string& id, const at::Tensor& image, const at::Tensor& latents,
                      const at::Tensor& features);

}  // namespace trireme
