#include "worker/models/z_image/z_image.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/batches.h"
#include "common/errors.h"
#include "worker/diffusion/noise.h"
#include "worker/graphs.h"
#include "worker/models/on_item.h"
#include "worker/models/picture_item.h"
#include "worker/models/streamed.h"
#include "worker/models/z_image/prompt_encoder.h"
#include "worker/models/z_image/session.h"
#include "worker/nn/upload.h"
#include "worker/vision/latents_decoder.h"

namespace trireme::z_image {
namespace {

ZImageSession& cast(Session& session) { return static_cast<ZImageSession&>(session); }

/// Up to here a GPU may wait for launches; above, a graph's memory would be large and win nothing.
constexpr std::int64_t kGraphTokens = 1600;  // of a picture: 640 x 640 pixels

constexpr std::int64_t kTokensDecoded = 4096;  // together: of one picture of 1024 x 1024

std::string forward_key(const Grids& grids) {
  std::string key =
      "a forward of " + std::to_string(grids[0].width) + "x" + std::to_string(grids[0].height) + " tokens with";
  for (const TokenGrid& grid : grids) key += " " + std::to_string(grid.padded_caption());
  return key;
}

class ZImage final : public Model {
 public:
  ZImage(const ModelSettings& settings, const ModelFiles& files, PartParameters& wanted)
      : device_(settings.device),
        dtype_(settings.dtype),
        tensors_(settings.job.output.tensors),
        stage_(settings.stage),
        graphs_(settings.job.memory.offload == "none" ? settings.job.memory.graphs : false),
        step_graphs_(device_, stage_.count == 1 && graphs_.value_or(true)),
        side_graphs_(device_, graphs_.value_or(true)),
        tiling_(settings.job.memory.vae_tiling.value_or(false)),
        transformer_(transformer_config(PartConfig(files, "transformer"))),
        prompts_(settings, files, transformer_, side_graphs_),
        vae_(PartConfig(files, "vae"), settings.job.memory.vae_tiling),
        layer_weights_(device_, settings.job.memory.offload == "layers", kPassPlaces) {
    check_scheduler(PartConfig(files, "scheduler"));
    check_fit(files);
    if (stage_.first()) prompts_.want(wanted["text_encoder"]);
    transformer_.want(wanted["transformer"], stage_);
    if (stage_.last() || !tensors_) vae_.want(wanted["vae"], PartConfig(files, "vae"));
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
  void check_unit(const Unit& unit) const;
  void begin_half(ZImageSession& session, Half& half, std::string Item::*prompt) const;
  const nn::DitCondition& condition(ZImageSession& session) const;
  static at::Tensor guided(const ZImageSession& session);
  bool sends_features(const ZImageSession& session, const Half& part) const;
  Result make_result(const ZImageSession& session, std::size_t picture, const at::Tensor& image) const;
  bool small(const Grids& grids) const {
    return graphs_.value_or(static_cast<std::int64_t>(grids.size()) * grids[0].image() <= kGraphTokens);
  }
  Slice replayed_forward(ZImageSession& session, int which, const std::string& key);
  at::Tensor decode_at_once(const at::Tensor& latents) const;
  std::size_t decoded_together(const ZImageSession& session) const;
  int refiners() const { return static_cast<int>(transformer_.config().refiners); }

  at::Device device_;
  at::ScalarType dtype_;
  bool tensors_;
  Stage stage_;
  std::optional<bool> graphs_;
  Graphs step_graphs_, side_graphs_;  // of the steps; of what may run beside them
  bool tiling_;
  Transformer transformer_;
  PromptEncoder prompts_;
  LatentsDecoder vae_;
  WeightStream layer_weights_;  // memory.offload
};

void ZImage::check_fit(const ModelFiles& files) const {
  const TransformerConfig& config = transformer_.config();
  if (config.caption_dim != prompts_.feature_dim()) {
    throw Error(ExitCode::bad_data, files.folder.string() + ": the transformer wants captions of width " +
                                        std::to_string(config.caption_dim) + ", the text encoder makes " +
                                        std::to_string(prompts_.feature_dim()));
  }
  vae_.check_fit(config.channels, files.folder.string());
}

PictureSizes ZImage::sizes() const {
  const std::vector<std::int64_t>& most = transformer_.config().axes_lens;
  return {kPatch * vae_.config().factor(), most[1], most[2]};
}

/// Every item can be made, and all have one size and one schedule: units are formed so.
void ZImage::check_unit(const Unit& unit) const {
  if (unit.items.size() > 1 && stage_.count > 1) throw Error(ExitCode::internal, "z_image: a batch on a cut model");
  for (std::size_t i = 0; i < unit.items.size(); ++i) {
    if (!made_together(unit.items[i], unit.items[0])) throw Error(ExitCode::internal, "z_image: unequal pictures");
    on_item(i, [&] { check_picture_item(unit.items[i], sizes()); });
  }
}

// Shapes, tables and token ids of the captions, in stream order on the device.
void ZImage::begin_half(ZImageSession& session, Half& half, std::string Item::*prompt) const {
  const std::int64_t token = sizes().token;
  std::vector<at::Tensor> ids;
  for (std::size_t i = 0; i < session.count(); ++i) {
    const Item& item = session.unit.items[i];
    ids.push_back(prompts_.tokenize(item.*prompt));
    half.grids.push_back({item.height / token, item.width / token, ids.back().size(0)});
    if (half.grids.back().padded_caption() + 1 >= transformer_.config().axes_lens[0]) {
      throw ItemError("a caption of " + std::to_string(ids.back().size(0)) + " tokens is too long for this model", i);
    }
  }
  GridRope ropes = transformer_.rope(half.grids[0]);
  for (std::size_t i = 1; i < session.count(); ++i) {
    const GridRope rope = transformer_.rope(half.grids[i]);
    ropes.image = nn::concatenate(ropes.image, rope.image);
    ropes.caption = nn::concatenate(ropes.caption, rope.caption);
    ropes.all = nn::concatenate(ropes.all, rope.all);
  }
  half.image_rope = nn::upload(ropes.image, device_);
  half.caption_rope = nn::upload(ropes.caption, device_);
  half.all_rope = nn::upload(ropes.all, device_);
  half.features.resize(session.count());
  if (stage_.first()) half.readings = prompts_.begin(half.grids, ids);
}

std::unique_ptr<Session> ZImage::begin(const Unit& unit, Slices& slices) {
  check_unit(unit);
  auto session = std::make_unique<ZImageSession>(unit);
  ZImageSession& s = *session;
  const Item& item = s.item();
  s.schedule = flow_match_schedule(item.steps, item.shift);
  s.guidance = {item.guidance, item.cfg_truncation, item.cfg_normalization};
  s.passes = item.steps;
  s.halves = s.guided_halves();
  bool guided = false;
  for (const float time : s.schedule.times) guided = guided || s.guidance.applies(time);

  s.time_features = nn::upload(transformer_.time_features(s.schedule.times), device_);
  begin_half(s, s.parts[0], &Item::prompt);
  if (stage_.first()) prompts_.encode(s, 0, tensors_, slices);
  if (guided) {
    begin_half(s, s.parts[1], &Item::negative_prompt);
    if (stage_.first()) prompts_.encode(s, 1, false, slices);
  }
  if (!stage_.first() && !stage_.last()) return session;  // no latents come by
  slices.push_back({Phase::encode, [this, &s] {
                      const TokenGrid& grid = s.parts[0].grids[0];
                      const std::int64_t channels = transformer_.config().channels;
                      std::vector<at::Tensor> noise;
                      for (const Item& one : s.unit.items) {
                        noise.push_back(draw_noise({channels, kPatch * grid.height, kPatch * grid.width}, one.seed));
                      }
                      s.state = nn::upload(noise.size() == 1 ? noise[0] : at::stack(noise), device_);
                    }});
  return session;
}

const nn::DitCondition& ZImage::condition(ZImageSession& s) const {
  return s.conditions.of(s.pass, s.passes, [&](int first, int count) {
    return transformer_.conditions(s.time_features.narrow(0, first, count), /*factors=*/!layer_weights_.active());
  });
}

Slice ZImage::replayed_forward(ZImageSession& s, int which, const std::string& key) {
  Half& part = s.parts[static_cast<std::size_t>(which)];
  const auto body = [this, grids = part.grids](const std::vector<at::Tensor>& in) {
    return transformer_.forward({in[0], {in[1], in[2]}, in[3], {in[4], in[5]}, {in[6], in[7]}}, grids, dtype_);
  };
  return {Phase::denoise, [this, &s, &part, which, key, body] {
            const nn::RopeTable &image = part.image_rope, &all = part.all_rope;
            const auto& [vector, factors] = condition(s);
            const std::vector<at::Tensor> inputs{s.state,   vector,    factors, part.caption,
                                                 image.cos, image.sin, all.cos, all.sin};
            s.predictions[static_cast<std::size_t>(which)] = step_graphs_.run(key, inputs, body);
          }};
}

void ZImage::enter(Session& session, int half, Slices& slices) {
  ZImageSession& s = cast(session);
  Half& part = s.parts[static_cast<std::size_t>(half)];
  part.graphed = small(part.grids) && step_graphs_.wants(forward_key(part.grids));
  if (part.graphed) return slices.push_back(replayed_forward(s, half, forward_key(part.grids)));
  slices.push_back(
      {Phase::denoise, [this, &s, &part] { s.hidden = transformer_.embed_image(s.state.to(dtype_), part.grids); }});
  for (int i = 0; i < refiners(); ++i) {
    const auto run = [this, &s, &part, i] {
      s.keep(
          transformer_.noise_refiner(static_cast<std::size_t>(i), s.rows(), part.image_rope, condition(s), part.grids));
    };
    slices.push_back(streamed(layer_weights_, refiner_key(i), {Phase::denoise, run}));
  }
  slices.push_back({Phase::denoise, [this, &s, &part] {
                      s.hidden = transformer_.join(s.hidden, part.caption, part.grids);
                      if (sends_features(s, part)) s.side = {part.features[0]};
                    }});
}

void ZImage::layers(Session& session, int half, Layers range, Slices& slices) {
  ZImageSession& s = cast(session);
  Half& part = s.parts[static_cast<std::size_t>(half)];
  if (part.graphed) return;
  for (int i = range.first; i < range.last; ++i) {
    const auto run = [this, &s, &part, i, layer_part = range.part(i)] {
      s.keep(transformer_.layer(static_cast<std::size_t>(i), s.rows(), part.all_rope, condition(s), part.grids,
                                layer_part));
    };
    slices.push_back(streamed(layer_weights_, i, {Phase::denoise, run}));
  }
}

void ZImage::leave(Session& session, int half, Slices& slices) {
  ZImageSession& s = cast(session);
  Half& part = s.parts[static_cast<std::size_t>(half)];
  if (part.graphed) return;
  slices.push_back({Phase::denoise, [this, &s, &part, half] {
                      s.predictions[static_cast<std::size_t>(half)] =
                          transformer_.velocity(s.hidden, condition(s), part.grids).to(at::kFloat);
                      s.hidden.reset();
                      if (sends_features(s, part)) part.features[0] = s.side.at(0);
                    }});
}

/// Norms are those of each picture.
at::Tensor ZImage::guided(const ZImageSession& s) {
  std::vector<at::Tensor> joined;
  for (std::size_t i = 0; i < s.count(); ++i) {
    joined.push_back(join(s.guidance, s.of(s.predictions[0], i), s.of(s.predictions[1], i)));
  }
  return joined.size() == 1 ? joined[0] : at::stack(joined);
}

void ZImage::advance(Session& session, Slices& slices) {
  slices.push_back({Phase::denoise, [&s = cast(session)] {
                      at::Tensor velocity = s.predictions[0];
                      if (s.halves == 2) velocity = guided(s);
                      s.state = euler_step(s.schedule, s.pass, s.state, velocity);
                      s.end_pass();
                    }});
}

void ZImage::follow(Session& session, Slices& slices) {
  slices.push_back({Phase::denoise, [&s = cast(session)] { s.end_pass(); }});
}

/// Text features are made on the first stage and written by the last.
bool ZImage::sends_features(const ZImageSession& s, const Half& part) const {
  return tensors_ && stage_.count > 1 && s.pass == 0 && &part == &s.parts[0];
}

Crossing ZImage::crossing(const Session& session, int half) const {
  const auto& s = static_cast<const ZImageSession&>(session);
  const Half& part = s.parts[static_cast<std::size_t>(half)];
  const TokenGrid& grid = part.grids[0];  // a unit of a cut model is one picture
  const TransformerConfig& config = transformer_.config();
  Crossing crossing;
  crossing.hidden = {dtype_, {grid.padded_image() + grid.padded_caption(), config.dim}};
  if (sends_features(s, part)) crossing.side = {{dtype_, {grid.caption, config.caption_dim}}};
  crossing.state = {at::kFloat, {config.channels, kPatch * grid.height, kPatch * grid.width}};
  return crossing;
}

Result ZImage::make_result(const ZImageSession& s, std::size_t picture, const at::Tensor& image) const {
  const at::Tensor& features = s.parts[0].features[picture];  // undefined where nobody wants tensors
  return picture_result(s.unit.items[picture].id, image, s.of(s.state, picture), features);
}

at::Tensor ZImage::decode_at_once(const at::Tensor& latents) const {
  at::Tensor image;
  const LatentsDecoder::Latents input{latents.size(1), latents.size(2),
                                      [&] { return latents.to(dtype_).unsqueeze(0); }};
  for (const auto& step : vae_.steps(input, [&image](const at::Tensor& made) { image = made[0]; })) step();
  return image;
}

/// What the decoder needs does not grow with the batch: pictures go together as far as one large one would.
std::size_t ZImage::decoded_together(const ZImageSession& s) const {
  if (device_.is_cpu() || tiling_ || s.halved_tiles > 0) return 1;
  return static_cast<std::size_t>(std::max<std::int64_t>(1, kTokensDecoded / s.parts[0].grids[0].image()));
}

void ZImage::finish(Session& session, Slices& slices, std::vector<Result>& results) {
  ZImageSession& s = cast(session);
  const TokenGrid& grid = s.parts[0].grids[0];
  const std::string key = "a decoding of " + std::to_string(grid.width) + "x" + std::to_string(grid.height) + " tokens";
  const std::size_t together = decoded_together(s);
  for (std::size_t first = 0; first < s.count(); first += together) {
    const std::size_t count = std::min(together, s.count() - first);
    if (count == 1 && small({grid}) && !tiling_ && s.halved_tiles == 0 && side_graphs_.wants(key)) {
      const auto body = [this](const std::vector<at::Tensor>& in) { return decode_at_once(in[0]); };
      slices.push_back({Phase::decode, [this, &s, &results, key, body, first] {
                          const at::Tensor image = side_graphs_.run(key, {s.of(s.state, first)}, body);
                          results.push_back(make_result(s, first, image));
                        }});
      continue;
    }
    const auto get = [this, &s, first, count] {
      const at::Tensor all = s.count() == 1 ? s.state.unsqueeze(0) : s.state;
      return all.narrow(0, static_cast<std::int64_t>(first), static_cast<std::int64_t>(count)).to(dtype_);
    };
    const auto take = [this, &s, &results, first, count](const at::Tensor& images) {
      for (std::size_t i = 0; i < count; ++i) {
        results.push_back(make_result(s, first + i, images[static_cast<std::int64_t>(i)]));
      }
    };
    const LatentsDecoder::Latents latents{kPatch * grid.height, kPatch * grid.width, get, s.halved_tiles};
    for (auto& step : vae_.steps(latents, take)) slices.push_back({Phase::decode, std::move(step)});
  }
}

}  // namespace

std::unique_ptr<Model> make_z_image(const ModelSettings& settings, const ModelFiles& files, PartParameters& wanted) {
  return std::make_unique<ZImage>(settings, files, wanted);
}

}  // namespace trireme::z_image
