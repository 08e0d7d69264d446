#include "worker/models/z_image/z_image.h"

#include <ATen/ATen.h>

#include <optional>
#include <utility>

#include "common/errors.h"
#include "common/tokenizer/chat.h"
#include "worker/diffusion/noise.h"
#include "worker/graphs.h"
#include "worker/models/z_image/session.h"
#include "worker/nn/caption_encoder.h"
#include "worker/nn/upload.h"
#include "worker/vision/latents_decoder.h"

namespace trireme::z_image {
namespace {

ZImageSession& cast(Session& session) { return static_cast<ZImageSession&>(session); }

/// Files saved from the bare model lack the prefix.
std::string find_prefix(const PartConfig& part) { return part.has_tensor("embed_tokens.weight") ? "" : "model."; }

nn::CaptionEncoder make_encoder(const ModelFiles& files) {
  const PartConfig part(files, "text_encoder");
  const std::string place = (files.folder / "tokenizer" / "tokenizer.json").string();
  return nn::CaptionEncoder(part, find_prefix(part), Tokenizer::parse(files.tokenizer_json, place));
}

/// Up to here a GPU may wait for launches; above, a graph's memory would be large and win nothing.
constexpr std::int64_t kGraphTokens = 1600;  // of a picture: 640 x 640 pixels

class ZImage final : public Model {
 public:
  ZImage(const ModelSettings& settings, const ModelFiles& files, PartParameters& wanted)
      : device_(settings.device),
        dtype_(settings.dtype),
        tensors_(settings.job.output.tensors),
        stage_(settings.stage),
        graphs_(settings.job.memory.graphs),
        step_graphs_(device_, stage_.count == 1 && graphs_.value_or(true)),
        side_graphs_(device_, graphs_.value_or(true)),
        tiling_(settings.job.memory.vae_tiling.value_or(false)),
        encoder_(make_encoder(files)),
        transformer_(transformer_config(PartConfig(files, "transformer"))),
        vae_(PartConfig(files, "vae"), settings.job.memory.vae_tiling) {
    check_scheduler(PartConfig(files, "scheduler"));
    check_fit(files);
    if (stage_.first()) encoder_.want(wanted["text_encoder"]);
    transformer_.want(wanted["transformer"], stage_);
    if (stage_.last() || !tensors_) vae_.want(wanted["vae"], PartConfig(files, "vae"));
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
  void check_item(const Item& item) const;
  void begin_half(ZImageSession& session, Half& half, const std::string& prompt) const;
  void encode(ZImageSession& session, int half, bool keep_features, Slices& slices);
  const at::Tensor& adaln(ZImageSession& session) const;
  bool sends_features(const ZImageSession& session, const Half& part) const;
  Result make_result(ZImageSession& session, const at::Tensor& image) const;
  bool small(const TokenGrid& grid) const { return graphs_.value_or(grid.image() <= kGraphTokens); }
  Slice replayed_encoding(Half& half, int which, const std::string& key);
  Slice replayed_forward(ZImageSession& session, int which, const std::string& key);
  at::Tensor decode_at_once(const at::Tensor& latents) const;

  at::Device device_;
  at::ScalarType dtype_;
  bool tensors_;
  Stage stage_;
  std::optional<bool> graphs_;
  Graphs step_graphs_, side_graphs_;  // of the steps; of what may run beside them
  bool tiling_;
  nn::CaptionEncoder encoder_;
  Transformer transformer_;
  LatentsDecoder vae_;
};

void ZImage::check_fit(const ModelFiles& files) const {
  const std::string place = files.folder.string() + ": ";
  const TransformerConfig& config = transformer_.config();
  if (config.caption_dim != encoder_.feature_dim()) {
    throw Error(ExitCode::bad_data, place + "the transformer wants captions of width " +
                                        std::to_string(config.caption_dim) + ", the text encoder makes " +
                                        std::to_string(encoder_.feature_dim()));
  }
  if (config.channels != vae_.config().latent_channels || vae_.config().out_channels != 3) {
    throw Error(ExitCode::bad_data, place +
                                        "transformer and vae disagree about the channels of the latents, or the vae "
                                        "does not make pictures of 3 channels");
  }
}

void ZImage::check_item(const Item& item) const {
  const std::int64_t multiple = kPatch * vae_.config().factor();
  if (item.width <= 0 || item.height <= 0 || item.width % multiple != 0 || item.height % multiple != 0) {
    throw ItemError("size " + std::to_string(item.width) + "x" + std::to_string(item.height) +
                    ": width and height must be multiples of " + std::to_string(multiple));
  }
  const std::vector<std::int64_t>& most = transformer_.config().axes_lens;
  if (item.height / multiple > most[1] || item.width / multiple > most[2]) {
    throw ItemError("size " + std::to_string(item.width) + "x" + std::to_string(item.height) + ": at most " +
                    std::to_string(most[2] * multiple) + "x" + std::to_string(most[1] * multiple) + " for this model");
  }
  if (item.steps < 1) throw ItemError("steps must be at least 1");
}

// Shapes, tables and token ids of one caption, in stream order on the device.
void ZImage::begin_half(ZImageSession& session, Half& half, const std::string& prompt) const {
  const std::int64_t token = kPatch * vae_.config().factor();  // pixels
  const at::Tensor ids = encoder_.tokenize(z_image_prompt(prompt));
  half.grid = {session.item().height / token, session.item().width / token, ids.size(0)};
  if (half.grid.padded_caption() + 1 >= transformer_.config().axes_lens[0]) {
    throw ItemError("a caption of " + std::to_string(ids.size(0)) + " tokens is too long for this model");
  }
  const GridRope rope = transformer_.rope(half.grid);
  half.rope = {nn::upload(rope.image, device_), nn::upload(rope.caption, device_), nn::upload(rope.all, device_)};
  if (!stage_.first()) return;
  // Causal attention: what stands behind the end changes nothing, and few lengths are left to capture.
  const std::int64_t tokens = device_.is_cuda() ? half.grid.padded_caption() : ids.size(0);
  half.encoding = encoder_.decoder().begin(at::arange(tokens, at::kLong), device_);
  half.ids = nn::upload(at::constant_pad_nd(ids, {0, tokens - ids.size(0)}), device_);
}

Slice ZImage::replayed_encoding(Half& half, int which, const std::string& key) {
  const auto body = [this](const std::vector<at::Tensor>& in) {
    const nn::Decoder& decoder = encoder_.decoder();
    nn::DecoderPass pass;
    pass.rope = {in[1], in[2]};
    at::Tensor features = decoder.embed(in[0]);
    for (std::size_t i = 0; i < decoder.layer_count(); ++i) features = decoder.layer(i, features, pass);
    return features;
  };
  return {Phase::encode,
          [this, &half, key, body] {
            const nn::RopeTable& rope = half.encoding.rope;
            half.features = side_graphs_.run(key, {half.ids, rope.cos, rope.sin}, body);
          },
          which};
}

void ZImage::encode(ZImageSession& session, int which, bool keep_features, Slices& slices) {
  const auto slice = [&](std::function<void()> run) { slices.push_back({Phase::encode, std::move(run), which}); };
  Half& half = session.parts[static_cast<std::size_t>(which)];
  const std::string key = "a prompt of " + std::to_string(half.ids.size(0)) + " tokens";
  const bool plain = !half.encoding.local_rope.cos.defined();  // no layers with windows
  if (plain && side_graphs_.wants(key)) {
    slices.push_back(replayed_encoding(half, which, key));
  } else {
    slice([this, &half] { half.features = encoder_.decoder().embed(half.ids); });
    for (std::size_t i = 0; i < encoder_.decoder().layer_count(); ++i) {
      slice([this, &half, i] { half.features = encoder_.decoder().layer(i, half.features, half.encoding); });
    }
  }
  slice([this, &half, keep_features] {
    half.features = half.features.narrow(0, 0, half.grid.caption);
    half.caption = transformer_.embed_caption(half.features, half.grid);
    half.encoding = {};
    half.ids.reset();
    if (!keep_features) half.features.reset();
  });
  for (std::size_t i = 0; i < static_cast<std::size_t>(transformer_.config().refiners); ++i) {
    slice([this, &half, i] { half.caption = transformer_.context_refiner(i, half.caption, half.rope.caption); });
  }
}

std::unique_ptr<Session> ZImage::begin(const Unit& unit, Slices& slices) {
  if (unit.items.size() != 1) throw Error(ExitCode::internal, "z_image: a unit holds one item");
  auto session = std::make_unique<ZImageSession>(unit);
  ZImageSession& s = *session;
  const Item& item = s.item();
  check_item(item);
  s.schedule = flow_match_schedule(item.steps, item.shift);
  s.guidance = {item.guidance, item.cfg_truncation, item.cfg_normalization};
  s.passes = item.steps;
  s.halves = s.guidance.applies(s.time()) ? 2 : 1;
  bool guided = false;
  for (const float time : s.schedule.times) guided = guided || s.guidance.applies(time);

  s.time_features = nn::upload(transformer_.time_features(s.schedule.times), device_);
  begin_half(s, s.parts[0], item.prompt);
  if (stage_.first()) encode(s, 0, tensors_, slices);
  if (guided) {
    begin_half(s, s.parts[1], item.negative_prompt);
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

const at::Tensor& ZImage::adaln(ZImageSession& s) const {
  if (s.adaln_pass != s.pass) {
    s.adaln = transformer_.embed_time(s.time_features.narrow(0, s.pass, 1));
    s.adaln_pass = s.pass;
  }
  return s.adaln;
}

Slice ZImage::replayed_forward(ZImageSession& s, int which, const std::string& key) {
  Half& part = s.parts[static_cast<std::size_t>(which)];
  const auto body = [this, grid = part.grid](const std::vector<at::Tensor>& in) {
    return transformer_.forward({in[0], in[1], in[2], {in[3], in[4]}, {in[5], in[6]}}, grid, dtype_);
  };
  return {Phase::denoise, [this, &s, &part, which, key, body] {
            const nn::RopeTable &image = part.rope.image, &all = part.rope.all;
            s.predictions[static_cast<std::size_t>(which)] = step_graphs_.run(
                key,
                {s.state, s.time_features.narrow(0, s.pass, 1), part.caption, image.cos, image.sin, all.cos, all.sin},
                body);
          }};
}

void ZImage::enter(Session& session, int half, Slices& slices) {
  ZImageSession& s = cast(session);
  Half& part = s.parts[static_cast<std::size_t>(half)];
  const std::string key = "a forward of " + std::to_string(part.grid.width) + "x" + std::to_string(part.grid.height) +
                          " and " + std::to_string(part.grid.padded_caption()) + " tokens";
  part.graphed = small(part.grid) && step_graphs_.wants(key);
  if (part.graphed) return slices.push_back(replayed_forward(s, half, key));
  slices.push_back(
      {Phase::denoise, [this, &s, &part] { s.hidden = transformer_.embed_image(s.state.to(dtype_), part.grid); }});
  for (std::size_t i = 0; i < static_cast<std::size_t>(transformer_.config().refiners); ++i) {
    slices.push_back({Phase::denoise, [this, &s, &part, i] {
                        s.hidden = transformer_.noise_refiner(i, s.hidden, part.rope.image, adaln(s));
                      }});
  }
  slices.push_back({Phase::denoise, [this, &s, &part] {
                      s.hidden = at::cat({s.hidden, part.caption});
                      if (sends_features(s, part)) s.side = {part.features};
                    }});
}

void ZImage::layers(Session& session, int half, Layers range, Slices& slices) {
  ZImageSession& s = cast(session);
  Half& part = s.parts[static_cast<std::size_t>(half)];
  if (part.graphed) return;
  for (int i = range.first; i < range.last; ++i) {
    slices.push_back({Phase::denoise, [this, &s, &part, i, layer_part = range.part(i)] {
                        s.hidden = transformer_.layer(static_cast<std::size_t>(i), s.hidden, part.rope.all, adaln(s),
                                                      layer_part);
                      }});
  }
}

void ZImage::leave(Session& session, int half, Slices& slices) {
  ZImageSession& s = cast(session);
  Half& part = s.parts[static_cast<std::size_t>(half)];
  if (part.graphed) return;
  slices.push_back({Phase::denoise, [this, &s, &part, half] {
                      s.predictions[static_cast<std::size_t>(half)] =
                          transformer_.velocity(s.hidden, adaln(s), part.grid).to(at::kFloat);
                      s.hidden.reset();
                      if (sends_features(s, part)) part.features = s.side.at(0);
                    }});
}

void ZImage::advance(Session& session, Slices& slices) {
  slices.push_back({Phase::denoise, [&s = cast(session)] {
                      at::Tensor velocity = s.predictions[0];
                      if (s.halves == 2) velocity = join(s.guidance, velocity, s.predictions[1]);
                      s.state = euler_step(s.schedule, s.pass, s.state, velocity);
                      ++s.pass;
                      s.halves = !s.done() && s.guidance.applies(s.time()) ? 2 : 1;
                    }});
}

void ZImage::follow(Session& session, Slices& slices) {
  slices.push_back({Phase::denoise, [&s = cast(session)] {
                      ++s.pass;
                      s.halves = !s.done() && s.guidance.applies(s.time()) ? 2 : 1;
                    }});
}

/// Text features are made on the first stage and written by the last.
bool ZImage::sends_features(const ZImageSession& s, const Half& part) const {
  return tensors_ && stage_.count > 1 && s.pass == 0 && &part == &s.parts[0];
}

Crossing ZImage::crossing(const Session& session, int half) const {
  const auto& s = static_cast<const ZImageSession&>(session);
  const Half& part = s.parts[static_cast<std::size_t>(half)];
  const TransformerConfig& config = transformer_.config();
  Crossing crossing;
  crossing.hidden = {dtype_, {part.grid.padded_image() + part.grid.padded_caption(), config.dim}};
  if (sends_features(s, part)) crossing.side = {{dtype_, {part.grid.caption, config.caption_dim}}};
  crossing.state = {at::kFloat, {config.channels, kPatch * part.grid.height, kPatch * part.grid.width}};
  return crossing;
}

Result ZImage::make_result(ZImageSession& s, const at::Tensor& image) const {
  Result result;
  result.id = s.item().id;
  result.picture = to_picture(image);
  if (tensors_) {
    result.tensors["caption"] = s.parts[0].features.to(at::kFloat).contiguous();
    result.tensors["latents"] = s.state.contiguous();
    result.tensors["image"] = image.contiguous();
  }
  return result;
}

at::Tensor ZImage::decode_at_once(const at::Tensor& latents) const {
  at::Tensor image;
  const LatentsDecoder::Latents input{latents.size(1), latents.size(2), [&] { return latents.to(dtype_); }};
  for (const auto& step : vae_.steps(input, [&image](const at::Tensor& made) { image = made; })) step();
  return image;
}

void ZImage::finish(Session& session, Slices& slices, std::vector<Result>& results) {
  ZImageSession& s = cast(session);
  const TokenGrid& grid = s.parts[0].grid;
  const std::string key = "a decoding of " + std::to_string(grid.width) + "x" + std::to_string(grid.height) + " tokens";
  if (small(grid) && !tiling_ && side_graphs_.wants(key)) {
    const auto body = [this](const std::vector<at::Tensor>& in) { return decode_at_once(in[0]); };
    slices.push_back({Phase::decode, [this, &s, &results, key, body] {
                        results.push_back(make_result(s, side_graphs_.run(key, {s.state}, body)));
                      }});
    return;
  }
  const LatentsDecoder::Latents latents{kPatch * grid.height, kPatch * grid.width,
                                        [this, &s] { return s.state.to(dtype_); }};
  const auto take = [this, &s, &results](const at::Tensor& image) { results.push_back(make_result(s, image)); };
  for (auto& step : vae_.steps(latents, take)) slices.push_back({Phase::decode, std::move(step)});
}

}  // namespace

std::unique_ptr<Model> make_z_image(const ModelSettings& settings, const ModelFiles& files, PartParameters& wanted) {
  return std::make_unique<ZImage>(settings, files, wanted);
}

}  // namespace trireme::z_image
