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

// Launching the tower takes a host longer than running it takes a GPU, up to pictures of about 900 x 900. A graph of
// that size holds 0.2 GB, which all sizes share.
constexpr std::int64_t kGraphPatches = 4096;
constexpr std::size_t kMostGraphs = 8;

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
      block_weights_(settings.device, settings.blocks_on_host, kEncodingPlaces),
      graphs_(settings.device, settings.graphs, kMostGraphs) {
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

void PictureEncoder::read(const ImageFile& file, Picture& picture) const {
  const at::Tensor bytes = decode_picture(file.data, file.name);
  const PictureSize size = size_for(bytes, patches_, file.name);
  const VisionLayout layout = vision_layout(size.height / patches_.patch, size.width / patches_.patch, config_);
  picture.grid = {layout.height / patches_.merge, layout.width / patches_.merge};
  picture.pass = tower_.begin(layout, device_);
  const at::Tensor pixels = pixel_values(nn::upload(resize_bytes(bytes, size), device_), patches_);
  picture.features = tower_.embed(pixels, *picture.pass);
  if (keep_pixels_) picture.pixel_values = pixels;
}

/// All that comes behind `read`, where the tower has had a picture of this size before.
void PictureEncoder::replay(Picture& picture) {
  const VisionPass& pass = *picture.pass;
  const std::string key =
      "a picture of " + std::to_string(picture.grid.rows) + "x" + std::to_string(picture.grid.columns) + " tokens";
  if (picture.features.size(0) > kGraphPatches || !graphs_.wants(key)) return;
  const auto body = [&](const std::vector<at::Tensor>& in) {
    const VisionPass own{{}, in[1], {in[2], in[3]}, pass.windows, pass.whole};
    at::Tensor features = in[0];
    for (std::size_t i = 0; i < tower_.block_count(); ++i) features = tower_.block(i, features, own);
    return tower_.merge(features, own);
  };
  picture.features = graphs_.run(key, {picture.features, pass.reading, pass.rope.cos, pass.rope.sin}, body);
  picture.pass.reset();
}

// The first slice is the host's work; the device meanwhile has the picture before.
void PictureEncoder::encode(const ImageFile& file, std::size_t item, Picture& picture, Slices& slices) {
  slices.push_back({Phase::encode, [this, &file, &picture, item] {
                      on_item(item, [&] { read(file, picture); });
                      replay(picture);
                    }});
  for (std::size_t first = 0; first < tower_.block_count(); first += kBlocksPerSlice) {
    slices.push_back({Phase::encode, [this, &picture, first] {
                        if (!picture.pass) return;
                        const std::size_t last = std::min(first + kBlocksPerSlice, tower_.block_count());
                        for (std::size_t i = first; i < last; ++i) {
                          block_weights_.visit(static_cast<int>(i), [&] {
                            picture.features = tower_.block(i, picture.features, *picture.pass);
                          });
                        }
                      }});
  }
  slices.push_back({Phase::encode, [this, &picture] {
                      if (!picture.pass) return;
                      picture.features = tower_.merge(picture.features, *picture.pass);
                      picture.pass.reset();
                    }});
}

}  // namespace trireme::qwen2_5_vl
