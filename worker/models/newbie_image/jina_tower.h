#pragma once
// The text tower of Jina CLIP v2: an XLM-R encoder with rotary positions whose mean over the tokens is the pooled text.
// Its low-rank adapter may be merged into the weights or lie beside them. Ref: transformers
// modeling_jina_embeddings_v3.py (same network, other names), jina-clip's lora parametrisation.

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "common/tokenizer/tokenizer.h"
#include "worker/nn/linear.h"
#include "worker/nn/rope.h"
#include "worker/weights/parameters.h"
#include "worker/weights/part_config.h"

namespace trireme::newbie_image {

struct JinaConfig {
  std::string prefix;  // of the tensor names
  std::int64_t vocab = 0, types = 0, hidden = 0, heads = 0, layers = 0, inner = 0;
  double norm_eps = 1e-5, rope_base = 20000;
  std::int64_t rank = 0;  // of the adapters; 0: merged
  std::int64_t adapters = 1, adapter = 0;
  double adapter_scale = 1;
};

/// From the text_config of a config.json and the shapes. Throws Error(bad_data) with file and key.
JinaConfig jina_config(const PartConfig& part);

/// A weight [out, in] with its adapter: weight + scale * b @ a.
struct Adapted {
  at::Tensor weight, a, b;  // a, b: [adapters, ..], undefined when merged

  void want(Parameters& parameters, const std::string& name, std::vector<std::int64_t> shape, const JinaConfig& config,
            bool embedding);
  at::Tensor linear(const at::Tensor& x, const at::Tensor& bias, const JinaConfig& config) const;
  at::Tensor rows(const at::Tensor& ids, const JinaConfig& config) const;
};

class JinaTower {
 public:
  JinaTower(const PartConfig& part, Tokenizer tokenizer);

  void want(Parameters& parameters);
  const JinaConfig& config() const { return config_; }

  /// Ids of the text between <s> and </s>, at most 2048. Host, int64.
  at::Tensor tokenize(const std::string& text) const;

  struct Pass {
    nn::RopeTable rope;
    at::Tensor ids;   // [tokens] int64
    at::Tensor seen;  // [tokens] bool; undefined: all (a <pad> in the text is not seen)
  };
  Pass begin(const at::Tensor& ids, at::Device device) const;
  std::size_t layer_count() const { return layers_.size(); }
  at::Tensor embed(const Pass& pass) const;  // -> [tokens, hidden]
  at::Tensor layer(std::size_t i, const at::Tensor& x, const Pass& pass) const;
  at::Tensor pool(const at::Tensor& x, const Pass& pass) const;  // -> [1, hidden]

 private:
  struct Norm {
    at::Tensor weight, bias;
  };
  struct Layer {
    Adapted qkv, out, fc1, fc2;
    at::Tensor qkv_bias, out_bias, fc1_bias, fc2_bias;
    Norm norm1, norm2;
  };
  at::Tensor normed(const at::Tensor& x, const Norm& norm) const;
  static void want_norm(Parameters& parameters, const std::string& name, std::int64_t size, Norm& norm);

  JinaConfig config_;
  Tokenizer tokenizer_;
  Adapted words_, types_;
  Norm embedding_norm_;
  std::vector<Layer> layers_;
};

}  // namespace trireme::newbie_image
