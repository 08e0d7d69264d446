#include "worker/models/newbie_image/newbie_image.h"

#include <ATen/ATen.h>

#include <utility>

#include "common/errors.h"
#include "worker/diffusion/noise.h"
#include "worker/models/newbie_image/session.h"
#include "worker/models/newbie_image/text_conditioning.h"
#include "worker/models/picture_item.h"
#include "worker/models/streamed.h"
#include "worker/nn/patches.h"
#include "worker/nn/upload.h"
#include "worker/vision/latents_decoder.h"

namespace trireme::newbie_image {
namespace {

using nn::kPatch;

NewbieSession& cast(Session& session) { return static_cast<NewbieSession&>(session); }

class NewbieImage final : public Model {
 public:
  NewbieImage(const ModelSettings& settings, const ModelFiles& files, PartParameters& wanted)
      : device_(settings.device),
        dtype_(settings.dtype),
        tensors_(settings.job.output.tensors),
        stage_(settings.stage),
        text_(files),
        transformer_(transformer_config(PartConfig(files, "transformer"))),
        vae_(PartConfig(files, "vae"), settings.job.memory.vae_tiling),
        encoder_weights_(device_, settings.job.memory.offload != "none", kEncodingPlaces),
        layer_weights_(device_, settings.job.memory.offload == "layers", kPassPlaces) {
    check_fit(files);
    if (stage_.first()) text_.want(wanted);
    transformer_.want(wanted["transformer"], stage_);
    if (stage_.last() || !tensors_) vae_.want(wanted["vae"], PartConfig(files, "vae"));
    if (stage_.first()) text_.keep_on_host(wanted, encoder_weights_);
    keep_on_host({stage_.first() ? refiners() : 0, own_layers()}, wanted["transformer"],
                 transformer_.config().names.prefix, layer_weights_);
  }

  at::Device device() const override { return device_; }
  int layer_count() const override { return static_cast<int>(transformer_.config().layers); }
  Layers own_layers() const override { return stage_.layers(layer_count()); }
  /// Features, which are written beside the picture, come no further than the last stage.
  bool finishes_anywhere() const override { return !tensors_; }

  std::unique_ptr<Session> begin(const Unit& unit, Slices& slices) override;
  void enter(Session& session, int half, Slices& slices) override;
  void layers(Session& session, int half, Layers range, Slices& slices) override;
  void leave(Session& session, int half, Slices& slices) override;
  void advance(Session& session, Slices& slices) override;
  void follow(Session& session, Slices& slices) override;
  Crossing crossing(const Session& session, int half) const override;
  void finish(Session& session, Slices& slices, std::vector<Result>& results) override;

 private:
  void check_fit(const ModelFiles& files) const;
  PictureSizes sizes() const;
  void begin_half(const Item& item, Half& half, const std::string& caption, const std::string& prompt) const;
  void encode(NewbieSession& session, int half, bool keep_features, Slices& slices);
  const nn::DitCondition& condition(const NewbieSession& session, Half& half) const;
  bool sends_features(const Half& part, const NewbieSession& session) const;
  void take_side(NewbieSession& session, Half& part) const;
  int refiners() const { return static_cast<int>(transformer_.config().refiners); }

  at::Device device_;
  at::ScalarType dtype_;
  bool tensors_;
  Stage stage_;
  TextConditioning text_;
  Transformer transformer_;
  LatentsDecoder vae_;
  WeightStream encoder_weights_, layer_weights_;  // memory.offload
};

void NewbieImage::check_fit(const ModelFiles& files) const {
  const TransformerConfig& config = transformer_.config();
  const auto differ = [&](const char* what, std::int64_t wanted, std::int64_t made) {
    if (wanted != made) {
      throw Error(ExitCode::bad_data, files.folder.string() + ": the transformer wants " + what + " of width " +
                                          std::to_string(wanted) + ", its text encoder makes " + std::to_string(made));
    }
  };
  differ("captions", config.caption_dim, text_.gemma().feature_dim());
  differ("a pooled text", config.pooled_dim, text_.jina().config().hidden);
  vae_.check_fit(config.channels, files.folder.string());
}

PictureSizes NewbieImage::sizes() const {
  const std::vector<std::int64_t>& most = transformer_.config().axes_lens;
  return {kPatch * vae_.config().factor(), most[1], most[2]};
}

// Shapes, tables and token ids of one caption, in stream order on the device.
void NewbieImage::begin_half(const Item& item, Half& half, const std::string& caption,
                             const std::string& prompt) const {
  const std::int64_t token = sizes().token;
  const at::Tensor ids = text_.gemma().tokenize(caption);
  if (ids.size(0) == 0) throw ItemError("the caption has no tokens: the tokenizer adds no BOS to an empty text");
  half.grid = {item.height / token, item.width / token, ids.size(0)};
  if (half.grid.caption >= transformer_.config().axes_lens[0]) {
    throw ItemError("a caption of " + std::to_string(ids.size(0)) + " tokens is too long for this model");
  }
  const GridRope rope = transformer_.rope(half.grid);
  half.rope = {nn::upload(rope.caption, device_), nn::upload(rope.image, device_), nn::upload(rope.all, device_)};
  if (!stage_.first()) return;
  half.encoding = text_.gemma().decoder().begin(at::arange(ids.size(0), at::kLong), device_);
  half.ids = encoder_weights_.active() ? ids : nn::upload(ids, device_);
  half.pooling = text_.jina().begin(text_.jina().tokenize(prompt), device_);
}

void NewbieImage::encode(NewbieSession& session, int which, bool keep_features, Slices& slices) {
  const auto slice = [&](std::function<void()> run) { slices.push_back({Phase::encode, std::move(run), which}); };
  const auto layer = [&](int key, std::function<void()> run) {
    slices.push_back(streamed(encoder_weights_, key, {Phase::encode, std::move(run), which}));
  };
  Half& half = session.parts[static_cast<std::size_t>(which)];
  const nn::Decoder& gemma = text_.gemma().decoder();
  const JinaTower& jina = text_.jina();
  slice([this, &gemma, &half] { half.features = nn::upload(gemma.embed(half.ids), device_); });
  for (std::size_t i = 0; i < gemma.layer_count(); ++i) {
    layer(static_cast<int>(i), [&gemma, &half, i] { half.features = gemma.layer(i, half.features, half.encoding); });
  }
  slice([&jina, &half] { half.pooled = jina.embed(half.pooling); });
  for (std::size_t i = 0; i < jina.layer_count(); ++i) {
    layer(text_.jina_key(i), [&jina, &half, i] { half.pooled = jina.layer(i, half.pooled, half.pooling); });
  }
  slice([this, &jina, &half, keep_features] {
    half.pooled = transformer_.embed_pooled(jina.pool(half.pooled, half.pooling));
    half.caption = transformer_.embed_caption(half.features);
    half.encoding = {};
    half.pooling = {};
    half.ids.reset();
    if (!keep_features) half.features.reset();
  });
  for (std::size_t i = 0; i < static_cast<std::size_t>(refiners()); ++i) {
    slice([this, &half, i] { half.caption = transformer_.context_refiner(i, half.caption, half.rope.caption); });
  }
}

std::unique_ptr<Session> NewbieImage::begin(const Unit& unit, Slices& slices) {
  if (unit.items.size() != 1) throw Error(ExitCode::internal, "newbie_image: a unit holds one item");
  const Item& item = unit.items.front();
  check_picture_item(item, sizes());
  auto session =
      std::make_unique<NewbieSession>(unit, Sampler(flow_match_schedule(item.steps, item.shift), item.sampler));
  NewbieSession& s = *session;
  s.guidance = {item.guidance, item.cfg_truncation, item.cfg_normalization, Guidance::From::negative};
  s.passes = s.sampler.passes();
  s.halves = s.guided_halves();
  bool guided = false;
  for (const float time : s.sampler.times()) guided = guided || s.guidance.applies(time);

  s.time_features = nn::upload(nn::time_features(s.sampler.times(), 1), device_);
  begin_half(item, s.parts[0], TextConditioning::positive(item.system_prompt, item.prompt), item.prompt);
  if (stage_.first()) encode(s, 0, tensors_, slices);
  if (guided) {
    begin_half(item, s.parts[1], TextConditioning::negative(item.system_prompt, item.negative_prompt),
               item.negative_prompt);
    if (stage_.first()) encode(s, 1, false, slices);
  }
  if (!stage_.first() && !stage_.last()) return session;  // no latents come by
  slices.push_back(
      {Phase::encode, [this, &s] {
         const TokenGrid& grid = s.parts[0].grid;
         const std::int64_t channels = transformer_.config().channels;
         const at::Tensor noise = draw_noise({channels, kPatch * grid.height, kPatch * grid.width}, s.item().seed);
         s.state = nn::upload(noise, device_);
       }});
  return session;
}

const nn::DitCondition& NewbieImage::condition(const NewbieSession& s, Half& half) const {
  return half.conditions.of(s.pass, s.passes, [&](int first, int count) {
    const at::Tensor features = s.time_features.narrow(0, first, count);
    return transformer_.conditions(features, half.pooled, /*factors=*/!layer_weights_.active());
  });
}

void NewbieImage::enter(Session& session, int half, Slices& slices) {
  NewbieSession& s = cast(session);
  Half& part = s.parts[static_cast<std::size_t>(half)];
  slices.push_back({Phase::denoise, [this, &s] { s.hidden = transformer_.embed_image(s.state.to(dtype_)); }});
  for (int i = 0; i < refiners(); ++i) {
    const auto run = [this, &s, &part, i] {
      s.keep(transformer_.noise_refiner(static_cast<std::size_t>(i), s.rows(), part.rope.image, condition(s, part)));
    };
    slices.push_back(streamed(layer_weights_, refiner_key(i), {Phase::denoise, run}));
  }
  slices.push_back({Phase::denoise, [this, &s, &part] {
                      s.hidden = at::cat({part.caption, s.hidden});
                      if (stage_.count == 1 || s.pass > 0) return;
                      s.side = {part.pooled};
                      if (sends_features(part, s)) s.side.push_back(part.features);
                    }});
}

void NewbieImage::layers(Session& session, int half, Layers range, Slices& slices) {
  NewbieSession& s = cast(session);
  Half& part = s.parts[static_cast<std::size_t>(half)];
  if (!stage_.first()) slices.push_back({Phase::denoise, [this, &s, &part] { take_side(s, part); }});
  for (int i = range.first; i < range.last; ++i) {
    const auto run = [this, &s, &part, i, layer_part = range.part(i)] {
      s.keep(transformer_.layer(static_cast<std::size_t>(i), s.rows(), part.rope.all, condition(s, part), layer_part));
    };
    slices.push_back(streamed(layer_weights_, i, {Phase::denoise, run}));
  }
}

void NewbieImage::leave(Session& session, int half, Slices& slices) {
  NewbieSession& s = cast(session);
  Half& part = s.parts[static_cast<std::size_t>(half)];
  slices.push_back({Phase::denoise, [this, &s, &part, half] {
                      s.predictions[static_cast<std::size_t>(half)] =
                          transformer_.velocity(s.hidden, condition(s, part), part.grid).to(at::kFloat);
                      s.hidden.reset();
                    }});
}

void NewbieImage::advance(Session& session, Slices& slices) {
  slices.push_back({Phase::denoise, [&s = cast(session)] {
                      at::Tensor velocity = s.predictions[0];
                      if (s.halves == 2) velocity = join(s.guidance, velocity, s.predictions[1]);
                      s.state = s.sampler.advance(s.pass, s.state, velocity);
                      s.end_pass();
                    }});
}

void NewbieImage::follow(Session& session, Slices& slices) {
  slices.push_back({Phase::denoise, [&s = cast(session)] { s.end_pass(); }});
}

/// Text features are made on the first stage and written by the last.
bool NewbieImage::sends_features(const Half& part, const NewbieSession& s) const {
  return tensors_ && &part == &s.parts[0];
}

/// Later stages, first pass: what the first one made of the prompt.
void NewbieImage::take_side(NewbieSession& s, Half& part) const {
  if (s.pass > 0) return;
  part.pooled = s.side.at(0);
  if (stage_.last() && sends_features(part, s)) part.features = s.side.at(1);
}

Crossing NewbieImage::crossing(const Session& session, int half) const {
  const auto& s = static_cast<const NewbieSession&>(session);
  const Half& part = s.parts[static_cast<std::size_t>(half)];
  const TransformerConfig& config = transformer_.config();
  Crossing crossing;
  crossing.hidden = {dtype_, {part.grid.caption + part.grid.height * part.grid.width, config.block.dim}};
  if (s.pass == 0) crossing.side.push_back({dtype_, {1, config.pooled_out}});
  if (s.pass == 0 && sends_features(part, s))
    crossing.side.push_back({dtype_, {part.grid.caption, config.caption_dim}});
  crossing.state = {at::kFloat, {config.channels, kPatch * part.grid.height, kPatch * part.grid.width}};
  return crossing;
}

void NewbieImage::finish(Session& session, Slices& slices, std::vector<Result>& results) {
  NewbieSession& s = cast(session);
  const TokenGrid& grid = s.parts[0].grid;
  const LatentsDecoder::Latents latents{kPatch * grid.height, kPatch * grid.width,
                                        [this, &s] { return s.state.to(dtype_).unsqueeze(0); }, s.halved_tiles};
  const auto take = [&s, &results](const at::Tensor& images) {
    const at::Tensor& features = s.parts[0].features;  // undefined where nobody wants tensors
    results.push_back(picture_result(s.item().id, images[0], s.state, features));
  };
  for (auto& step : vae_.steps(latents, take)) slices.push_back({Phase::decode, std::move(step)});
}

}  // namespace

std::unique_ptr<Model> make_newbie_image(const ModelSettings& settings, const ModelFiles& files,
                                         PartParameters& wanted) {
  return std::make_unique<NewbieImage>(settings, files, wanted);
}

}  // namespace trireme::newbie_image
