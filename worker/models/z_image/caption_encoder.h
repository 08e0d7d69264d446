#pragma once
// Prompt to caption features: chat string, tokenizer, and the text encoder without its last layer and final norm (the
// features are the reference's hidden_states[-2]). Causal attention and padding on the right mean that the real tokens
// alone give the same rows. Ref: diffusers pipeline_z_image.py _encode_prompt.

#include <ATen/core/Tensor.h>

#include <string>

#include "common/tokenizer/tokenizer.h"
#include "worker/nn/decoder.h"
#include "worker/weights/model_files.h"
#include "worker/weights/parameters.h"

namespace trireme::z_image {

class CaptionEncoder {
 public:
  /// Throws Error(bad_data) when the tokenizer has more tokens than the encoder has embeddings.
  explicit CaptionEncoder(const ModelFiles& files);

  void want(Parameters& parameters);
  std::int64_t feature_dim() const { return decoder_.config().hidden; }

  /// Ids of the prompt as a user's turn, at most 512: the tail of a longer one is lost, as in the reference. Host,
  /// int64.
  at::Tensor tokenize(const std::string& prompt) const;
  const nn::Decoder& decoder() const { return decoder_; }

 private:
  Tokenizer tokenizer_;
  std::string prefix_;
  nn::Decoder decoder_;
};

}  // namespace trireme::z_image
