#pragma once
// Text to caption features: a tokenizer, and a decoder-only text model without its last layer and final norm (the
// features are the reference's hidden_states[-2]). Causal attention and padding on the right mean that the real tokens
// alone give the same rows. Ref: diffusers pipeline_z_image.py _encode_prompt.

#include <ATen/core/Tensor.h>

#include <string>

#include "common/tokenizer/tokenizer.h"
#include "worker/nn/decoder.h"
#include "worker/weights/parameters.h"
#include "worker/weights/part_config.h"
#include "worker/weights/weight_stream.h"

namespace trireme::nn {

class CaptionEncoder {
 public:
  /// Tensor names start with `prefix`. Throws Error(bad_data) when the tokenizer has more tokens than the encoder has
  /// embeddings.
  CaptionEncoder(const PartConfig& part, std::string prefix, Tokenizer tokenizer);

  void want(Parameters& parameters);
  /// Weights stay on the host: layer i is key i of `weights`; embeddings are looked up there, by ids on the host.
  void keep_on_host(Parameters& parameters, WeightStream& weights);
  std::int64_t feature_dim() const { return decoder_.config().hidden; }

  /// Ids of the text with what the tokenizer puts around it, at most 512: the tail of a longer one is lost, as in the
  /// reference. Host, int64.
  at::Tensor tokenize(const std::string& text) const;
  const Decoder& decoder() const { return decoder_; }

 private:
  Tokenizer tokenizer_;
  std::string prefix_;
  Decoder decoder_;
};

/// Token ids as a tensor: host, int64.
at::Tensor to_tensor(const std::vector<int>& ids);

}  // namespace trireme::nn
