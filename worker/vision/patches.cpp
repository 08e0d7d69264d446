#include "worker/vision/patches.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "common/errors.h"
#include "worker/weights/part_config.h"

namespace trireme {
namespace {

constexpr std::int64_t kMostPixels = std::int64_t{1} << 40;
constexpr int kBicubic = 3;  // Pillow's number, which the files use
constexpr double kMean[] = {0.48145466, 0.4578275, 0.40821073}, kStd[] = {0.26862954, 0.26130258, 0.27577711};

/// Three numbers of a list; missing: `fallback`. In float32, as the reference multiplies them by the inverse of its
/// rescale factor.
std::array<float, 3> channels(const JsonObject& json, const std::string& key, const double* fallback, double factor) {
  std::array<float, 3> values{};
  for (std::size_t i = 0; i < 3; ++i) values[i] = static_cast<float>(fallback[i]);
  if (json.has(key)) {
    const nlohmann::json& list = json.at(key);
    if (!list.is_array() || list.size() != 3) json.fail(key, "must be a list of three numbers");
    for (std::size_t i = 0; i < 3; ++i) {
      if (!list[i].is_number()) json.fail(key, "must be a list of three numbers");
      values[i] = list[i].get<float>();
    }
  }
  for (float& value : values) value *= static_cast<float>(1 / factor);
  return values;
}

void read_limits(const JsonObject& json, PatchConfig& config) {
  if (json.has("size")) {
    const JsonObject size = json.get_object("size");
    config.min_pixels = size.get_int_or("shortest_edge", config.min_pixels, 1, kMostPixels);
    config.max_pixels = size.get_int_or("longest_edge", config.max_pixels, 1, kMostPixels);
  }
  config.min_pixels = json.get_int_or("min_pixels", config.min_pixels, 1, kMostPixels);
  config.max_pixels = json.get_int_or("max_pixels", config.max_pixels, 1, kMostPixels);
}

double rounded_half_to_even(double value) { return std::nearbyint(value); }  // in the default rounding mode

}  // namespace

PatchConfig patch_config(const ModelFiles& files) {
  const PartConfig own(files, "preprocessor"), whole(files, "processor");
  const PartConfig nested = whole.section("image_processor");
  const JsonObject json = whole.json().has("image_processor") ? nested.json() : own.json();
  for (const char* step : {"do_resize", "do_rescale", "do_normalize"}) {
    if (!json.get_bool_or(step, true)) json.fail(step, "false is not supported");
  }
  if (json.get_int_or("resample", kBicubic, 0, 100) != kBicubic) json.fail("resample", "only 3 (bicubic) is supported");
  const double factor = json.get_double_or("rescale_factor", 1.0 / 255, 1e-9, 1e9);
  PatchConfig config;
  config.patch = json.get_int_or("patch_size", config.patch, 1, 1 << 12);
  config.temporal = json.get_int_or("temporal_patch_size", config.temporal, 1, 1 << 8);
  config.merge = json.get_int_or("merge_size", config.merge, 1, 1 << 8);
  config.mean = channels(json, "image_mean", kMean, factor);
  config.std = channels(json, "image_std", kStd, factor);
  for (const float value : config.std) {
    if (!(value > 0)) json.fail("image_std", "must be above 0");
  }
  read_limits(json, config);
  return config;
}

PictureSize resized_size(PictureSize size, const PatchConfig& config) {
  constexpr double kLargestRatio = 200;
  const double height = static_cast<double>(size.height), width = static_cast<double>(size.width);
  const double ratio = std::max(height, width) / std::min(height, width);
  if (ratio > kLargestRatio) {
    throw ItemError("a picture of " + std::to_string(size.width) + "x" + std::to_string(size.height) +
                    " pixels is too narrow: one side may be at most 200 times the other");
  }
  const std::int64_t cell = config.patch * config.merge;
  const double side = static_cast<double>(cell);
  const auto cells = [&](double count) { return static_cast<std::int64_t>(count) * cell; };
  // A side may round to nothing: then the area is below any minimum.
  PictureSize result{cells(rounded_half_to_even(height / side)), cells(rounded_half_to_even(width / side))};
  if (result.height * result.width > config.max_pixels) {
    const double shrink = std::sqrt(height * width / static_cast<double>(config.max_pixels));
    result.height = std::max(cell, cells(std::floor(height / shrink / side)));
    result.width = std::max(cell, cells(std::floor(width / shrink / side)));
  } else if (result.height * result.width < config.min_pixels) {
    const double grow = std::sqrt(static_cast<double>(config.min_pixels) / (height * width));
    result.height = cells(std::ceil(height * grow / side));
    result.width = cells(std::ceil(width * grow / side));
  }
  return result;
}

at::Tensor resize_bytes(const at::Tensor& picture, PictureSize size) {
  const at::Tensor image = picture.permute({2, 0, 1}).unsqueeze(0);
  if (picture.size(0) == size.height && picture.size(1) == size.width) return image.squeeze(0).contiguous();
  return at::_upsample_bicubic2d_aa(image, {size.height, size.width}, /*align_corners=*/false).squeeze(0).contiguous();
}

at::Tensor pixel_values(const at::Tensor& resized, const PatchConfig& config) {
  at::Tensor image = resized.to(at::kFloat);
  for (std::int64_t channel = 0; channel < 3; ++channel) {
    const auto index = static_cast<std::size_t>(channel);
    const at::Tensor std = at::full({1, 1}, config.std[index], image.options());  // a tensor: divided, not multiplied
    image.select(0, channel).sub_(config.mean[index]).div_(std);
  }
  const std::int64_t patch = config.patch, merge = config.merge;
  const std::int64_t rows = image.size(1) / (patch * merge), columns = image.size(2) / (patch * merge);
  return image.view({3, rows, merge, patch, columns, merge, patch})
      .permute({1, 4, 2, 5, 0, 3, 6})
      .unsqueeze(5)
      .expand({-1, -1, -1, -1, -1, config.temporal, -1, -1})
      .reshape({rows * columns * merge * merge, 3 * config.temporal * patch * patch});
}

}  // namespace trireme
