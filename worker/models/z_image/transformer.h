#pragma once
// The transformer of Z-Image: image tokens and caption tokens in one stream. One item at a time, so there is no mask;
// pad tokens take part in attention as the reference has it. Ref: diffusers transformer_z_image.py.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "worker/models/model.h"
#include "worker/models/z_image/config.h"
#include "worker/nn/dit_block.h"
#include "worker/nn/dit_run.h"
#include "worker/nn/linear.h"
#include "worker/nn/rope.h"
#include "worker/weights/parameters.h"

namespace trireme::z_image {

/// Tokens of one picture with one caption.
struct TokenGrid {
  std::int64_t height = 0, width = 0;  // image tokens
  std::int64_t caption = 0;            // caption tokens

  std::int64_t image() const { return height * width; }
  std::int64_t padded_image() const { return nn::padded(image(), kTokenMultiple); }
  std::int64_t padded_caption() const { return nn::padded(caption, kTokenMultiple); }
};

/// Pictures that one forward takes: their rows stand one behind the other.
using Grids = std::vector<TokenGrid>;

/// Rotary tables of the image tokens, the caption tokens and both, on the host.
struct GridRope {
  nn::RopeTable image, caption, all;
};

class Transformer {
 public:
  explicit Transformer(TransformerConfig config);

  /// What a stage with these layers wants.
  void want(Parameters& parameters, const Stage& stage = {});
  const TransformerConfig& config() const { return config_; }

  GridRope rope(const TokenGrid& grid) const;
  /// times [steps] of the schedule -> [steps, 256] float32 on the host.
  at::Tensor time_features(const std::vector<float>& times) const;

  /// features [passes, 256] float32 -> what the blocks and `velocity` of each pass are conditioned on; `factors` as in
  /// nn/dit_run.h.
  std::vector<nn::DitCondition> conditions(const at::Tensor& features, bool factors) const;
  /// latents [channels, 2 * height, 2 * width] in the compute dtype, of several pictures [pictures, ...]
  /// -> [padded_image of all, dim]
  at::Tensor embed_image(const at::Tensor& latents, const Grids& grids) const;
  /// features [caption, caption_dim] -> [padded_caption, dim]
  at::Tensor embed_caption(const at::Tensor& features, const TokenGrid& grid) const;

  /// Image tokens [padded_image of all, dim] and captions [padded_caption of all, dim] -> each picture's image tokens
  /// followed by its caption's.
  at::Tensor join(const at::Tensor& images, const at::Tensor& captions, const Grids& grids) const;

  // Blocks: [tokens of all, dim] -> the same. `noise_refiner` takes image tokens, `context_refiner` caption tokens,
  // `layer` image tokens followed by caption tokens. The condition is the same for all pictures.
  nn::DitRows noise_refiner(std::size_t i, const nn::DitRows& rows, const nn::RopeTable& rope,
                            const nn::DitCondition& condition, const Grids& grids) const;
  at::Tensor context_refiner(std::size_t i, const at::Tensor& x, const nn::RopeTable& rope, const Grids& grids) const;
  nn::DitRows layer(std::size_t i, const nn::DitRows& rows, const nn::RopeTable& rope,
                    const nn::DitCondition& condition, const Grids& grids, LayerPart part = LayerPart::whole) const;

  /// Everything of one forward of a model that is not cut, and nothing else.
  struct Inputs {
    at::Tensor latents;  // [channels, 2 * height, 2 * width] float32, of several pictures [pictures, ...]
    nn::DitCondition condition;
    at::Tensor caption;        // [padded_caption, dim], refined
    nn::RopeTable image, all;  // of all pictures
  };
  /// -> float32, shaped like the latents. In `dtype`.
  at::Tensor forward(const Inputs& inputs, const Grids& grids, at::ScalarType dtype) const;

  /// hidden [padded_image + padded_caption of all, dim] -> like the latents, from noise to image.
  at::Tensor velocity(const at::Tensor& hidden, const nn::DitCondition& condition, const Grids& grids) const;

 private:
  nn::DitRun noise_refiners() const { return {noise_refiner_, own_refiners_}; }
  nn::DitRun layers() const { return {layers_, own_layers_, own_refiners_.last}; }

  TransformerConfig config_;
  Layers own_refiners_, own_layers_;  // of this stage
  nn::DitBlockConfig block_;
  std::vector<nn::DitBlock> noise_refiner_, context_refiner_, layers_;
  nn::Linear x_embedder_, time_in_, time_out_, caption_embedder_, final_linear_, final_modulation_;
  at::Tensor caption_norm_, x_pad_token_, cap_pad_token_;
};

}  // namespace trireme::z_image
