#pragma once
// Prompts to what the passes see of them: refined caption tokens, by the text encoder and the transformer's refiners.
// Every stage tokenizes, as shapes depend on the lengths; the rest is the first stage's. Ref: diffusers
// pipeline_z_image.py _encode_prompt; transformer_z_image.py.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "worker/graphs.h"
#include "worker/models/list.h"
#include "worker/models/z_image/session.h"
#include "worker/models/z_image/transformer.h"
#include "worker/nn/caption_encoder.h"
#include "worker/weights/weight_stream.h"

namespace trireme::z_image {

class PromptEncoder {
 public:
  /// `transformer` and `graphs`, those of slices that may run beside the steps, outlive it.
  PromptEncoder(const ModelSettings& settings, const ModelFiles& files, const Transformer& transformer, Graphs& graphs);

  /// First stage: the text encoder's weights, on the host where memory.offload says so.
  void want(Parameters& parameters);
  std::int64_t feature_dim() const { return encoder_.feature_dim(); }

  /// Of the prompt in its chat template: [caption] int64, on the host.
  at::Tensor tokenize(const std::string& prompt) const;
  /// Tables and ids of the captions, in stream order on the device: those of one length together, on a GPU all.
  std::vector<Reading> begin(const Grids& grids, const std::vector<at::Tensor>& ids) const;
  /// Appends the slices that encode the captions of a half, and then set Half::caption. `keep_features`: they stay in
  /// Half::features until the result is made.
  void encode(ZImageSession& session, int half, bool keep_features, Slices& slices);

 private:
  void read(Reading& reading, int half, Slices& slices);
  Slice replayed(Reading& reading, int half, const std::string& key);
  void refine(Half& half, int which, bool keep_features, Slices& slices);

  at::Device device_;
  const Transformer& transformer_;
  Graphs& graphs_;
  nn::CaptionEncoder encoder_;
  WeightStream weights_;
};

}  // namespace trireme::z_image
