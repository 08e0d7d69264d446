#pragma once
// A prompt to what conditions the transformer: caption features of Gemma 3 and the pooled text of Jina's tower. Gemma
// sees the system prompt as well, without anything between; Jina sees the prompt alone. Ref: NewBie demo.py
// encode_prompt.

#include <ATen/core/Tensor.h>

#include <string>

#include "worker/models/newbie_image/jina_tower.h"
#include "worker/nn/caption_encoder.h"
#include "worker/weights/loader.h"
#include "worker/weights/model_files.h"

namespace trireme::newbie_image {

class TextConditioning {
 public:
  explicit TextConditioning(const ModelFiles& files);

  void want(PartParameters& wanted);
  /// Layers stay on the host, Gemma's with their numbers as keys and Jina's behind them; Jina's embeddings do not.
  void keep_on_host(PartParameters& wanted, WeightStream& weights);
  int jina_key(std::size_t layer) const { return static_cast<int>(gemma_.decoder().layer_count() + layer); }
  const nn::CaptionEncoder& gemma() const { return gemma_; }
  const JinaTower& jina() const { return jina_; }

  /// What Gemma sees of a positive prompt; of a negative one, which is left alone when it is empty.
  static std::string positive(const std::string& system_prompt, const std::string& prompt);
  static std::string negative(const std::string& system_prompt, const std::string& prompt);

 private:
  nn::CaptionEncoder gemma_;
  JinaTower jina_;
};

}  // namespace trireme::newbie_image
