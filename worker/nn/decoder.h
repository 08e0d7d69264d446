#pragma once
// A decoder-only transformer for text: embeddings, layers, final norm. What tells one model from another is
// DecoderConfig. A pass takes one whole sequence, without padding, and may leave its keys and values in a cache, or
// several of one length; a step takes one new token of each sequence of a cache. Positions come from the caller.

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "worker/kernels/decode.h"
#include "worker/nn/decoder_config.h"
#include "worker/nn/layer_part.h"
#include "worker/nn/linear.h"
#include "worker/nn/rope.h"
#include "worker/weights/parameters.h"

namespace trireme::nn {

/// Keys and values of sequences that are decoded together, [layers, sequences, kv_heads, capacity, head_dim] each,
/// allocated once for their longest. A sequence has its rows to itself, so one may leave and another take its place.
struct KvCache {
  at::Tensor keys, values;
  std::size_t first_layer = 0;  // the layers are those from here on

  kernels::LayerCache layer(std::size_t index) const;
};

/// What the layers of a pass share: rotary tables of both kinds of layer for all tokens, the mask of those with a
/// window for one sequence (undefined where it fits in it), and where keys and values go, if anywhere.
struct DecoderPass {
  RopeTable rope, local_rope;
  at::Tensor window_mask;
  const KvCache* cache = nullptr;
  std::int64_t sequence = 0;   // of the cache
  std::int64_t sequences = 1;  // of one length, one behind the other; more than one: without a cache
};

/// One new token of each sequence of a cache. All on the device: a step needs nothing of the host.
struct DecoderStep {
  RopeTable rope;  // of all positions that the sequences will reach
  kernels::DecodeRows rows;
  KvCache cache;
};

class DecoderLayer {
 public:
  void want(Parameters& parameters, const std::string& prefix, const DecoderConfig& config, LayerPart part);
  /// hidden [tokens of all sequences, hidden] -> the same. `index`: of the layer.
  at::Tensor operator()(const at::Tensor& hidden, const DecoderConfig& config, const DecoderPass& pass,
                        std::size_t index, LayerPart part) const;
  /// hidden [sequences, hidden] -> the same.
  at::Tensor step(const at::Tensor& hidden, const DecoderConfig& config, const DecoderStep& step,
                  const kernels::LayerCache& cache, LayerPart part) const;

 private:
  at::Tensor attend(const at::Tensor& x, const DecoderConfig& config, const DecoderPass& pass, bool windowed,
                    std::size_t index) const;
  at::Tensor attend_step(const at::Tensor& hidden, const DecoderConfig& config, const DecoderStep& step,
                         const kernels::LayerCache& cache) const;
  at::Tensor feed_forward(const at::Tensor& x, const DecoderConfig& config) const;
  at::Tensor activate(const at::Tensor& gate_up, const DecoderConfig& config) const;

  Linear qkv_proj_, o_proj_, gate_up_proj_, down_proj_;  // q, k and v, and gate and up, are one product each
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
  /// What a rank holds that has only part of the decoder.
  struct Share {
    bool embeddings = true;
    Layers layers;
    bool final_norm = true;
  };
  void want(Parameters& parameters, const std::string& prefix, const Share& share);

  const DecoderConfig& config() const { return config_; }
  std::size_t layer_count() const { return layers_.size(); }

  Layers all_layers() const { return {0, static_cast<int>(layers_.size())}; }
  KvCache make_cache(std::int64_t sequences, std::int64_t capacity, at::TensorOptions options) const {
    return make_cache(sequences, capacity, options, all_layers());
  }
  KvCache make_cache(std::int64_t sequences, std::int64_t capacity, at::TensorOptions options, const Layers& own) const;

  /// positions [tokens] of each sequence, int64 on the host.
  DecoderPass begin(const at::Tensor& positions, at::Device device, std::int64_t sequences = 1) const;
  /// ids [tokens] int64, below config().vocab -> [tokens, hidden]
  at::Tensor embed(const at::Tensor& ids) const;
  at::Tensor layer(std::size_t index, const at::Tensor& hidden, const DecoderPass& pass,
                   LayerPart part = LayerPart::whole) const;
  /// Only for models without windows, head norms and norms behind attention and MLP.
  at::Tensor step_layer(std::size_t index, const at::Tensor& hidden, const DecoderStep& step,
                        LayerPart part = LayerPart::whole) const;
  at::Tensor final_norm(const at::Tensor& hidden) const;
  const at::Tensor& embeddings() const { return embed_tokens_; }  // [vocab, hidden], for heads tied to them

 private:
  DecoderConfig config_;
  std::vector<DecoderLayer> layers_;
  at::Tensor embed_tokens_, norm_;
};

}  // namespace trireme::nn
