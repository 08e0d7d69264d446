#include "worker/models/picture_item.h"

#include <ATen/ATen.h>

#include "common/errors.h"
#include "worker/kernels/pixels.h"

namespace trireme {

void check_picture_item(const Item& item, const PictureSizes& sizes) {
  const std::string size = "size " + std::to_string(item.width) + "x" + std::to_string(item.height);
  if (item.width <= 0 || item.height <= 0 || item.width % sizes.token != 0 || item.height % sizes.token != 0) {
    throw ItemError(size + ": width and height must be multiples of " + std::to_string(sizes.token));
  }
  if (item.height / sizes.token > sizes.most_rows || item.width / sizes.token > sizes.most_columns) {
    throw ItemError(size + ": at most " + std::to_string(sizes.most_columns * sizes.token) + "x" +
                    std::to_string(sizes.most_rows * sizes.token) + " for this model");
  }
  if (item.steps < 1) throw ItemError("steps must be at least 1");
}

Result picture_result(const std::string& id, const at::Tensor& image, const at::Tensor& latents,
                      const at::Tensor& features) {
  Result result;
  result.id = id;
  result.picture = kernels::to_bytes(image);
  if (features.defined()) {
    result.tensors["caption"] = features.to(at::kFloat).contiguous();
    result.tensors["latents"] = latents.contiguous();
    result.tensors["image"] = image.to(at::kFloat).contiguous();
  }
  return result;
}

}  // namespace trireme
