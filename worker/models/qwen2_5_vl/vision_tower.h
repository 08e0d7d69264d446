#pragma once
// The vision tower: patches of one picture to one feature a token. One picture at a time and no padding, so there is no
// mask. Ref: transformers modeling_qwen2_5_vl.py Qwen2_5_VisionTransformerPretrainedModel.

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "worker/models/qwen2_5_vl/config.h"
#include "worker/models/qwen2_5_vl/vision_layout.h"
#include "worker/nn/linear.h"
#include "worker/weights/parameters.h"

namespace trireme::qwen2_5_vl {

/// What the blocks need of a layout, on the device.
struct VisionPass {
  at::Tensor order, reading;  // [cells] int64
  nn::RopeTable rope;
  std::vector<nn::Segments> windows, whole;
};

class VisionBlock {
 public:
  void want(Parameters& parameters, const std::string& prefix, const VisionConfig& config);
  /// x [patches, hidden] -> the same.
  at::Tensor operator()(const at::Tensor& x, const VisionConfig& config, const nn::RopeTable& rope,
                        const std::vector<nn::Segments>& segments) const;

 private:
  nn::Linear qkv_, proj_, gate_up_, down_;
  at::Tensor norm1_, norm2_;
};

class VisionTower {
 public:
  explicit VisionTower(VisionConfig config);
  void want(Parameters& parameters, const std::string& prefix);

  std::size_t block_count() const { return blocks_.size(); }
  VisionPass begin(const VisionLayout& layout, at::Device device) const;
  /// pixels [patches, channels * temporal * patch * patch] float32 -> [patches, hidden] in the tower's order.
  at::Tensor embed(const at::Tensor& pixels, const VisionPass& pass) const;
  at::Tensor block(std::size_t index, const at::Tensor& x, const VisionPass& pass) const;
  /// x [patches, hidden] -> [cells, out_hidden] in reading order.
  at::Tensor merge(const at::Tensor& x, const VisionPass& pass) const;

 private:
  VisionConfig config_;
  std::vector<VisionBlock> blocks_;
  nn::Linear patch_embed_, merger_in_, merger_out_;
  at::Tensor merger_norm_;
};

}  // namespace trireme::qwen2_5_vl
