#include "worker/nn/caption_encoder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "common/caption_lengths.h"
#include "common/errors.h"

namespace trireme::nn {
namespace {

Decoder make_decoder(const PartConfig& part, const std::string& prefix) {
  DecoderConfig config = decoder_config(part, prefix);
  const std::int64_t layers = config.layers - 1;
  return Decoder(std::move(config), layers);
}

}  // namespace

CaptionEncoder::CaptionEncoder(const PartConfig& part, std::string prefix, Tokenizer tokenizer)
    : tokenizer_(std::move(tokenizer)), prefix_(std::move(prefix)), decoder_(make_decoder(part, prefix_)) {
  const auto rows = static_cast<std::size_t>(decoder_.config().vocab);
  if (tokenizer_.vocab_size() > rows) {
    throw Error(ExitCode::bad_data, part.place() + ": the tokenizer has " + std::to_string(tokenizer_.vocab_size()) +
                                        " tokens, the text encoder only " + std::to_string(rows));
  }
}

void CaptionEncoder::want(Parameters& parameters) {
  decoder_.want(parameters, prefix_, /*final_norm=*/false);
  parameters.skip(prefix_ + "layers." + std::to_string(decoder_.layer_count()) + ".",
                  "captions are taken before the last layer");
  parameters.skip(prefix_ + "norm.", "captions are taken before the final norm");
  parameters.skip(prefix_ + "rotary_emb.", "computed, not stored");
  parameters.skip("lm_head.", "no text is generated");
}

void CaptionEncoder::keep_on_host(Parameters& parameters, WeightStream& weights) {
  if (!weights.active()) return;
  parameters.keep_on_host(prefix_ + "embed_tokens.");
  for (std::size_t i = 0; i < decoder_.layer_count(); ++i) {
    weights.add_layer(static_cast<int>(i), parameters, prefix_ + "layers." + std::to_string(i) + ".");
  }
}

at::Tensor CaptionEncoder::tokenize(const std::string& text) const {
  return to_tensor(tokenizer_.encode_templated(text, kMaxCaptionTokens));
}

at::Tensor to_tensor(const std::vector<int>& ids) {
  const at::Tensor result = at::empty({static_cast<std::int64_t>(ids.size())}, at::kLong);
  std::copy(ids.begin(), ids.end(), result.data_ptr<std::int64_t>());
  return result;
}

}  // namespace trireme::nn
