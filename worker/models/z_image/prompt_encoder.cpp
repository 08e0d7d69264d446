#include "worker/models/z_image/prompt_encoder.h"

#include <ATen/ATen.h>

#include <utility>

#include "common/tokenizer/chat.h"
#include "worker/models/streamed.h"
#include "worker/nn/upload.h"

namespace trireme::z_image {
namespace {

/// Files saved from the bare model lack the prefix.
std::string find_prefix(const PartConfig& part) { return part.has_tensor("embed_tokens.weight") ? "" : "model."; }

nn::CaptionEncoder make_encoder(const ModelFiles& files) {
  const PartConfig part(files, "text_encoder");
  const std::string place = (files.folder / "tokenizer" / "tokenizer.json").string();
  return nn::CaptionEncoder(part, find_prefix(part), Tokenizer::parse(files.tokenizer_json, place));
}

}  // namespace

PromptEncoder::PromptEncoder(const ModelSettings& settings, const ModelFiles& files, const Transformer& transformer,
                             Graphs& graphs)
    : device_(settings.device),
      transformer_(transformer),
      graphs_(graphs),
      encoder_(make_encoder(files)),
      weights_(device_, settings.job.memory.offload != "none", kEncodingPlaces) {}

void PromptEncoder::want(Parameters& parameters) {
  encoder_.want(parameters);
  encoder_.keep_on_host(parameters, weights_);
}

at::Tensor PromptEncoder::tokenize(const std::string& prompt) const {
  return encoder_.tokenize(z_image_prompt(prompt));
}

Caption PromptEncoder::begin(const TokenGrid& grid, const at::Tensor& ids) const {
  // Causal attention: what stands behind the end changes nothing, and few lengths are left to capture.
  const std::int64_t tokens = device_.is_cuda() ? grid.padded_caption() : ids.size(0);
  Caption caption;
  caption.encoding = encoder_.decoder().begin(at::arange(tokens, at::kLong), device_);
  const at::Tensor padded = at::constant_pad_nd(ids, {0, tokens - ids.size(0)});
  caption.ids = weights_.active() ? padded : nn::upload(padded, device_);
  return caption;
}

void PromptEncoder::encode(ZImageSession& session, int which, bool keep_features, Slices& slices) {
  Half& half = session.parts[static_cast<std::size_t>(which)];
  for (std::size_t i = 0; i < session.count(); ++i) {
    half.captions[i].keep_features = keep_features;
    read(half.captions[i], which, slices);
    refine(half.captions[i], half.grids[i], which, slices);
  }
  slices.push_back({Phase::encode,
                    [&half] {
                      std::vector<at::Tensor> all;
                      for (Caption& caption : half.captions) all.push_back(std::exchange(caption.tokens, {}));
                      half.caption = all.size() == 1 ? all[0] : at::cat(all);
                    },
                    which});
}

/// Ids to features, which may have rows more behind the end.
void PromptEncoder::read(Caption& caption, int half, Slices& slices) {
  const nn::Decoder& decoder = encoder_.decoder();
  const std::string key = "a prompt of " + std::to_string(caption.ids.size(0)) + " tokens";
  const bool plain = !caption.encoding.local_rope.cos.defined();  // no layers with windows
  if (plain && graphs_.wants(key)) return slices.push_back(replayed(caption, half, key));
  const auto embed = [this, &caption, &decoder] { caption.features = nn::upload(decoder.embed(caption.ids), device_); };
  slices.push_back({Phase::encode, embed, half});
  for (std::size_t i = 0; i < decoder.layer_count(); ++i) {
    const auto run = [&caption, &decoder, i] {
      caption.features = decoder.layer(i, caption.features, caption.encoding);
    };
    slices.push_back(streamed(weights_, static_cast<int>(i), {Phase::encode, run, half}));
  }
}

Slice PromptEncoder::replayed(Caption& caption, int half, const std::string& key) {
  const auto body = [this](const std::vector<at::Tensor>& in) {
    const nn::Decoder& decoder = encoder_.decoder();
    nn::DecoderPass pass;
    pass.rope = {in[1], in[2]};
    at::Tensor features = decoder.embed(in[0]);
    for (std::size_t i = 0; i < decoder.layer_count(); ++i) features = decoder.layer(i, features, pass);
    return features;
  };
  return {Phase::encode,
          [this, &caption, key, body] {
            const nn::RopeTable& rope = caption.encoding.rope;
            caption.features = graphs_.run(key, {caption.ids, rope.cos, rope.sin}, body);
          },
          half};
}

/// Features to refined tokens.
void PromptEncoder::refine(Caption& caption, const TokenGrid& grid, int half, Slices& slices) {
  const auto slice = [&](std::function<void()> run) { slices.push_back({Phase::encode, std::move(run), half}); };
  slice([this, &caption, grid] {
    caption.features = caption.features.narrow(0, 0, grid.caption);
    caption.tokens = transformer_.embed_caption(caption.features, grid);
    caption.encoding = {};
    caption.ids.reset();
    if (!caption.keep_features) caption.features.reset();
  });
  for (std::size_t i = 0; i < static_cast<std::size_t>(transformer_.config().refiners); ++i) {
    slice([this, &caption, i] { caption.tokens = transformer_.context_refiner(i, caption.tokens, caption.rope); });
  }
}

}  // namespace trireme::z_image
