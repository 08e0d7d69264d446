#pragma once
// A decoder-only transformer for text: embeddings, layers, final norm. What tells one model from another is
// DecoderConfig. A pass prepares what all layers of one sequence share; positions come from the caller. One sequence at
// a time, no padding.

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "worker/nn/decoder_config.h"
#include "worker/nn/linear.h"
#include "worker/nn/rope.h"
#include "worker/weights/parameters.h"

namespace trireme::nn {

/// What the layers of one sequence share: rotary tables of both kinds of layer, and the mask of those with a window
/// (undefined where the sequence fits in it).
struct DecoderPass {
  RopeTable rope, local_rope;
  at::Tensor window_mask;
};

class DecoderLayer {
 public:
  void want(Parameters& parameters, const std::string& prefix, const DecoderConfig& config);
  /// hidden [tokens, hidden] -> the same.
  at::Tensor operator()(const at::Tensor& hidden, const DecoderConfig& config, const DecoderPass& pass,
                        bool windowed) const;

 private:
  at::Tensor attend(const at::Tensor& x, const DecoderConfig& config, const DecoderPass& pass, bool windowed) const;
  at::Tensor feed_forward(const at::Tensor& x, const DecoderConfig& config) const;

  Linear q_proj_, k_proj_, v_proj_, o_proj_, gate_proj_, up_proj_, down_proj_;
  at::Tensor q_norm_, k_norm_;
  // Gemma3's names for the four norms; the others have two, of which post_attention_layernorm is the one before the
  // MLP.
  at::Tensor input_layernorm_, post_attention_layernorm_, pre_feedforward_layernorm_, post_feedforward_layernorm_;
};

class Decoder {
 public:
  /// Only the first `layers` layers are built: a caption encoder needs fewer than the model has.
  Decoder(DecoderConfig config, std::int64_t layers);

  /// Slots of embeddings and layers, and of the final norm if `final_norm`. Names start with `prefix`.
  void want(Parameters& parameters, const std::string& prefix, bool final_norm);

  const DecoderConfig& config() const { return config_; }
  std::size_t layer_count() const { return layers_.size(); }

  /// positions [tokens] int64 on the host.
  DecoderPass begin(const at::Tensor& positions, at::Device device) const;
  /// ids [tokens] int64, below config().vocab -> [tokens, hidden]
  at::Tensor embed(const at::Tensor& ids) const;
  at::Tensor layer(std::size_t index, const at::Tensor& hidden, const DecoderPass& pass) const;
  at::Tensor final_norm(const at::Tensor& hidden) const;

 private:
  DecoderConfig config_;
  std::vector<DecoderLayer> layers_;
  at::Tensor embed_tokens_, norm_;
};

}  // namespace trireme::nn
