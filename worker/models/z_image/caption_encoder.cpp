#include "worker/models/z_image/caption_encoder.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "common/errors.h"
#include "common/tokenizer/chat.h"
#include "worker/models/z_image/config.h"

namespace trireme::z_image {
namespace {

/// Files saved from the bare model lack the prefix.
std::string find_prefix(const PartConfig& part) { return part.has_tensor("embed_tokens.weight") ? "" : "model."; }

nn::Decoder make_decoder(const ModelFiles& files) {
  const PartConfig part(files, "text_encoder");
  nn::DecoderConfig config = nn::decoder_config(part, find_prefix(part));
  const std::int64_t layers = config.layers - 1;
  return nn::Decoder(std::move(config), layers);
}

}  // namespace

CaptionEncoder::CaptionEncoder(const ModelFiles& files)
    : tokenizer_(Tokenizer::parse(files.tokenizer_json, (files.folder / "tokenizer" / "tokenizer.json").string())),
      prefix_(find_prefix(PartConfig(files, "text_encoder"))),
      decoder_(make_decoder(files)) {
  const auto rows = static_cast<std::size_t>(decoder_.config().vocab);
  if (tokenizer_.vocab_size() > rows) {
    throw Error(ExitCode::bad_data, files.folder.string() + ": the tokenizer has " +
                                        std::to_string(tokenizer_.vocab_size()) + " tokens, the text encoder only " +
                                        std::to_string(rows));
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

at::Tensor CaptionEncoder::tokenize(const std::string& prompt) const {
  const std::vector<int> ids = tokenizer_.encode(z_image_prompt(prompt));
  const std::int64_t length = std::min<std::int64_t>(static_cast<std::int64_t>(ids.size()), kMaxCaptionTokens);
  const at::Tensor result = at::empty({length}, at::kLong);
  std::copy_n(ids.begin(), length, result.data_ptr<std::int64_t>());
  return result;
}

}  // namespace trireme::z_image
