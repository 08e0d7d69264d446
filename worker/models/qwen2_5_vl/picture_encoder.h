#pragma once
// Picture files of an item to features in the decoder's width: decoding and resizing on the host, normalising, patches
// and the vision tower on the device.

#include "worker/graphs.h"
#include "worker/models/model.h"
#include "worker/models/qwen2_5_vl/session.h"
#include "worker/models/qwen2_5_vl/vision_tower.h"
#include "worker/vision/patches.h"
#include "worker/weights/weight_stream.h"

namespace trireme::qwen2_5_vl {

class PictureEncoder {
 public:
  struct Settings {
    at::Device device;
    bool keep_pixels;     // Picture::pixel_values stay
    bool blocks_on_host;  // memory.offload: layers
    bool graphs;          // memory.graphs
  };
  /// Throws Error(bad_data) when the preprocessor's patches are not the tower's.
  PictureEncoder(const ModelFiles& files, const VisionConfig& config, const Settings& settings);
  void want(Parameters& parameters, const std::string& prefix);

  /// Appends the slices that encode the picture, which must keep its address. They throw ItemError for a file that
  /// can't be used, with its name and `item`.
  void encode(const ImageFile& file, std::size_t item, Picture& picture, Slices& slices);

  const PatchConfig& patches() const { return patches_; }

 private:
  void read(const ImageFile& file, Picture& picture) const;
  void replay(Picture& picture);

  PatchConfig patches_;
  VisionConfig config_;
  VisionTower tower_;
  at::Device device_;
  bool keep_pixels_;
  WeightStream block_weights_;
  Graphs graphs_;  // of the tower, by the picture's size
};

}  // namespace trireme::qwen2_5_vl
