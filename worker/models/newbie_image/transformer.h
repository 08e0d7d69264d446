#pragma once
// The transformer of NewBie-image: caption tokens and image tokens in one stream, conditioned on the time of the step
// and the pooled text. One item at a time on its real tokens, so there are no masks and no pads. Ref: NewBie
// models/model.py NextDiT_CLIP; diffusers transformer_lumina2.py for all but the pooled text.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "worker/models/model.h"
#include "worker/models/newbie_image/config.h"
#include "worker/nn/dit_block.h"
#include "worker/nn/dit_run.h"
#include "worker/nn/linear.h"
#include "worker/nn/rope.h"
#include "worker/weights/parameters.h"

namespace trireme::newbie_image {

/// Tokens of one picture with one caption.
struct TokenGrid {
  std::int64_t height = 0, width = 0;  // image tokens
  std::int64_t caption = 0;            // caption tokens
};

/// Rotary tables of the caption tokens, the image tokens and both, on the host.
struct GridRope {
  nn::RopeTable caption, image, all;
};

class Transformer {
 public:
  explicit Transformer(TransformerConfig config);

  /// What a stage with these layers wants.
  void want(Parameters& parameters, const Stage& stage = {});
  const TransformerConfig& config() const { return config_; }

  GridRope rope(const TokenGrid& grid) const;
  /// pooled [1, pooled_dim] -> [1, pooled_out]: the same for all steps
  at::Tensor embed_pooled(const at::Tensor& pooled) const;
  /// time features [passes, 256] float32 (of times from 0 = noise to 1 = image), embed_pooled's result -> what the
  /// blocks and `velocity` of each pass are conditioned on; `factors` as in nn/dit_run.h.
  std::vector<nn::DitCondition> conditions(const at::Tensor& time_features, const at::Tensor& pooled,
                                           bool factors) const;
  /// latents [channels, 2 * height, 2 * width] in the compute dtype -> [height * width, dim]
  at::Tensor embed_image(const at::Tensor& latents) const;
  /// features [caption, caption_dim] -> [caption, dim]
  at::Tensor embed_caption(const at::Tensor& features) const;

  // Blocks: [tokens, dim] -> the same. `layer` takes caption tokens followed by image tokens.
  nn::DitRows noise_refiner(std::size_t i, const nn::DitRows& rows, const nn::RopeTable& rope,
                            const nn::DitCondition& condition) const;
  at::Tensor context_refiner(std::size_t i, const at::Tensor& x, const nn::RopeTable& rope) const;
  nn::DitRows layer(std::size_t i, const nn::DitRows& rows, const nn::RopeTable& rope,
                    const nn::DitCondition& condition, LayerPart part = LayerPart::whole) const;

  /// hidden [caption + height * width, dim] -> [channels, 2 * height, 2 * width], from noise to image.
  at::Tensor velocity(const at::Tensor& hidden, const nn::DitCondition& condition, const TokenGrid& grid) const;

 private:
  nn::DitRun noise_refiners() const { return {noise_refiner_, own_refiners_}; }
  nn::DitRun layers() const { return {layers_, own_layers_, own_refiners_.last}; }

  TransformerConfig config_;
  Layers own_refiners_, own_layers_;  // of this stage
  std::vector<nn::DitBlock> noise_refiner_, context_refiner_, layers_;
  nn::Linear x_embedder_, time_in_, time_out_, caption_linear_, pooled_linear_, time_text_, final_linear_,
      final_modulation_;
  at::Tensor caption_norm_, pooled_norm_;
};

}  // namespace trireme::newbie_image
