#include "worker/models/z_image/prompt_encoder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <map>
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

std::vector<Reading> PromptEncoder::begin(const Grids& grids, const std::vector<at::Tensor>& ids) const {
  // Causal attention: what stands behind the end changes nothing. On a GPU captions are read as if all were as long as
  // the longest, so that a unit takes one pass and few shapes are left to capture.
  std::int64_t longest = 0;
  for (const TokenGrid& grid : grids) longest = std::max(longest, grid.padded_caption());
  const auto length = [&](std::size_t i) { return device_.is_cuda() ? longest : ids[i].size(0); };
  std::map<std::int64_t, std::vector<std::size_t>> by_length;
  for (std::size_t i = 0; i < ids.size(); ++i) by_length[length(i)].push_back(i);
  std::vector<Reading> readings;
  for (const auto& [tokens, pictures] : by_length) {
    Reading reading;
    reading.pictures = pictures;
    reading.encoding =
        encoder_.decoder().begin(at::arange(tokens, at::kLong), device_, static_cast<std::int64_t>(pictures.size()));
    std::vector<at::Tensor> padded;
    for (const std::size_t i : pictures) padded.push_back(at::constant_pad_nd(ids[i], {0, tokens - ids[i].size(0)}));
    reading.ids = weights_.active() ? at::cat(padded) : nn::upload(at::cat(padded), device_);
    readings.push_back(std::move(reading));
  }
  return readings;
}

void PromptEncoder::encode(ZImageSession& session, int which, bool keep_features, Slices& slices) {
  Half& half = session.parts[static_cast<std::size_t>(which)];
  for (Reading& reading : half.readings) read(reading, which, slices);
  refine(half, which, keep_features, slices);
}

/// Ids to features, which may have rows more behind the end of each caption.
void PromptEncoder::read(Reading& reading, int half, Slices& slices) {
  const nn::Decoder& decoder = encoder_.decoder();
  const std::string key =
      "captions: " + std::to_string(reading.pictures.size()) + ", tokens: " + std::to_string(reading.ids.size(0));
  const bool plain = !reading.encoding.local_rope.cos.defined();  // no layers with windows
  if (plain && graphs_.wants(key)) return slices.push_back(replayed(reading, half, key));
  const auto embed = [this, &reading, &decoder] { reading.features = nn::upload(decoder.embed(reading.ids), device_); };
  slices.push_back({Phase::encode, embed, half});
  for (std::size_t i = 0; i < decoder.layer_count(); ++i) {
    const auto run = [&reading, &decoder, i] {
      reading.features = decoder.layer(i, reading.features, reading.encoding);
    };
    slices.push_back(streamed(weights_, static_cast<int>(i), {Phase::encode, run, half}));
  }
}

Slice PromptEncoder::replayed(Reading& reading, int half, const std::string& key) {
  const auto body = [this, sequences = reading.encoding.sequences](const std::vector<at::Tensor>& in) {
    const nn::Decoder& decoder = encoder_.decoder();
    nn::DecoderPass pass;
    pass.rope = {in[1], in[2]};
    pass.sequences = sequences;
    at::Tensor features = decoder.embed(in[0]);
    for (std::size_t i = 0; i < decoder.layer_count(); ++i) features = decoder.layer(i, features, pass);
    return features;
  };
  return {Phase::encode,
          [this, &reading, key, body] {
            const nn::RopeTable& rope = reading.encoding.rope;
            reading.features = graphs_.run(key, {reading.ids, rope.cos, rope.sin}, body);
          },
          half};
}

/// Features to refined tokens.
void PromptEncoder::refine(Half& half, int which, bool keep_features, Slices& slices) {
  const auto slice = [&](std::function<void()> run) { slices.push_back({Phase::encode, std::move(run), which}); };
  slice([this, &half, keep_features] {
    for (const Reading& reading : half.readings) {
      const std::int64_t tokens = reading.ids.size(0) / reading.encoding.sequences;
      for (std::size_t k = 0; k < reading.pictures.size(); ++k) {
        const std::size_t picture = reading.pictures[k];
        half.features[picture] =
            reading.features.narrow(0, static_cast<std::int64_t>(k) * tokens, half.grids[picture].caption);
      }
    }
    half.readings.clear();
    std::vector<at::Tensor> tokens;
    for (std::size_t i = 0; i < half.grids.size(); ++i) {
      tokens.push_back(transformer_.embed_caption(half.features[i], half.grids[i]));
    }
    half.caption = tokens.size() == 1 ? tokens[0] : at::cat(tokens);
    if (!keep_features) half.features.assign(half.grids.size(), {});
  });
  for (std::size_t i = 0; i < static_cast<std::size_t>(transformer_.config().refiners); ++i) {
    slice([this, &half, i] {
      half.caption = transformer_.context_refiner(i, half.caption, half.caption_rope, half.grids);
    });
  }
}

}  // namespace trireme::z_image
