#include "worker/models/qwen2_5_vl/picture_encoder.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "common/errors.h"
#include "worker/models/on_item.h"
#include "worker/models/streamed.h"
#include "worker/nn/upload.h"
#include "worker/vision/picture.h"

namespace trireme::qwen2_5_vl {
namespace {

// Together about a hundred launches, as the engine expects of a slice: fewer would let the device run dry while the
// next picture is decoded.
constexpr std::size_t kBlocksPerSlice = 8;

PictureSize size_for(const at::Tensor& pixels, const PatchConfig& patches, const std::string& name) {
  try {
    return resized_size({pixels.size(0), pixels.size(1)}, patches);
  } catch (const ItemError& error) {
    throw ItemError(name + ": " + error.what());
  }
}

}  // namespace

PictureEncoder::PictureEncoder(const ModelFiles& files, const VisionConfig& config, const Settings& settings)
    : patches_(patch_config(files)),
      config_(config),
      tower_(config),
      device_(settings.device),
      keep_pixels_(settings.keep_pixels),
      block_weights_(settings.device, settings.blocks_on_host, kEncodingPlaces) {
  if (patches_.patch != config.patch || patches_.temporal != config.temporal || patches_.merge != config.merge) {
    throw Error(ExitCode::bad_data,
                files.folder.string() +
                    ": the preprocessor's config and config.json disagree about patch_size, temporal_patch_size or "
                    "merge_size");
  }
}

void PictureEncoder::want(Parameters& parameters, const std::string& prefix) {
  tower_.want(parameters, prefix);
  for (std::size_t i = 0; i < tower_.block_count(); ++i) {
    block_weights_.add_layer(static_cast<int>(i), parameters, prefix + "blocks." + std::to_string(i) + ".");
  }
}

void PictureEncoder::embed(const ImageFile& file, Picture& picture) const {
  const at::Tensor bytes = decode_picture(file.data, file.name);
  const PictureSize size = size_for(bytes, patches_, file.name);
  const VisionLayout layout = vision_layout(size.height / patches_.patch, size.width / patches_.patch, config_);
  picture.grid = {layout.height / patches_.merge, layout.width / patches_.merge};
  picture.pass = tower_.begin(layout, device_);
  const at::Tensor pixels = pixel_values(nn::upload(resize_bytes(bytes, size), device_), patches_);
  picture.features = tower_.embed(pixels, picture.pass);
  if (keep_pixels_) picture.pixel_values = pixels;
}

// The first slice is the host's work; the device meanwhile has the picture before.
void PictureEncoder::encode(const ImageFile& file, std::size_t item, Picture& picture, Slices& slices) {
  slices.push_back({Phase::encode, [this, &file, &picture, item] { on_item(item, [&] { embed(file, picture); }); }});
  for (std::size_t first = 0; first < tower_.block_count(); first += kBlocksPerSlice) {
    slices.push_back({Phase::encode, [this, &picture, first] {
                        const std::size_t last = std::min(first + kBlocksPerSlice, tower_.block_count());
                        for (std::size_t i = first; i < last; ++i) {
                          block_weights_.visit(static_cast<int>(i), [&] {
                            picture.features = tower_.block(i, picture.features, picture.pass);
                          });
                        }
                      }});
  }
  slices.push_back({Phase::encode, [this, &picture] {
                      picture.features = tower_.merge(picture.features, picture.pass);
                      picture.pass = {};
                    }});
}

}  // namespace trireme::qwen2_5_vl
