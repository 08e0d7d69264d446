#include "worker/models/z_image/z_image.h"

#include <ATen/ATen.h>

#include <utility>

#include "common/errors.h"
#include "worker/diffusion/noise.h"
#include "worker/models/z_image/caption_encoder.h"
#include "worker/models/z_image/session.h"
#include "worker/nn/upload.h"

namespace trireme::z_image {
namespace {

ZImageSession& cast(Session& session) { return static_cast<ZImageSession&>(session); }

/// image [3, H, W], about -1 to 1 -> [H, W, 3] uint8. Ref: diffusers image_processor.py; in float32 whatever the
/// decoder's dtype, as bfloat16 has fewer steps than a picture.
at::Tensor to_picture(const at::Tensor& image) {
  return at::round((image * 0.5 + 0.5).clamp(0, 1) * 255).permute({1, 2, 0}).to(at::kByte).contiguous();
}

class ZImage final : public Model {
 public:
  ZImage(const ModelSettings& settings, const ModelFiles& files, PartParameters& wanted)
      : device_(settings.device),
        dtype_(settings.dtype),
        tensors_(settings.job.output.tensors),
        vae_tiling_(settings.job.memory.vae_tiling),
        encoder_(files),
        transformer_(transformer_config(PartConfig(files, "transformer"))),
        vae_(autoencoder_config(PartConfig(files, "vae"))) {
    check_scheduler(PartConfig(files, "scheduler"));
    check_fit(files);
    encoder_.want(wanted["text_encoder"]);
    transformer_.want(wanted["transformer"]);
    vae_.want(wanted["vae"], PartConfig(files, "vae"));
  }

  at::Device device() const override { return device_; }
  int layer_count() const override { return static_cast<int>(transformer_.config().layers); }

  std::unique_ptr<Session> begin(const Unit& unit, Slices& slices) override;
  void enter(Session& session, int half, Slices& slices) override;
  void layers(Session& session, int half, Layers range, Slices& slices) override;
  void leave(Session& session, int half, Slices& slices) override;
  void advance(Session& session, Slices& slices) override;
  void finish(Session& session, Slices& slices, std::vector<Result>& results) override;

 private:
  void check_fit(const ModelFiles& files) const;
  void check_item(const Item& item) const;
  void begin_half(ZImageSession& session, Half& half, const std::string& prompt) const;
  void encode(Half& half, bool keep_features, Slices& slices) const;
  const at::Tensor& adaln(ZImageSession& session) const;
  void decode_tile(ZImageSession& session, const std::function<at::Tensor()>& latents, Slices& slices) const;
  Result make_result(ZImageSession& session, const at::Tensor& decoded) const;

  at::Device device_;
  at::ScalarType dtype_;
  bool tensors_;
  std::optional<bool> vae_tiling_;
  CaptionEncoder encoder_;
  Transformer transformer_;
  AutoencoderDecoder vae_;
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
  const at::Tensor ids = encoder_.tokenize(prompt);
  half.grid = {session.item().height / token, session.item().width / token, ids.size(0)};
  if (half.grid.padded_caption() + 1 >= transformer_.config().axes_lens[0]) {
    throw ItemError("a caption of " + std::to_string(ids.size(0)) + " tokens is too long for this model");
  }
  const GridRope rope = transformer_.rope(half.grid);
  half.rope = {nn::upload(rope.image, device_), nn::upload(rope.caption, device_), nn::upload(rope.all, device_)};
  half.encoding = encoder_.decoder().begin(at::arange(ids.size(0), at::kLong), device_);
  half.ids = nn::upload(ids, device_);
}

void ZImage::encode(Half& half, bool keep_features, Slices& slices) const {
  slices.push_back({Phase::encode, [this, &half] { half.features = encoder_.decoder().embed(half.ids); }});
  for (std::size_t i = 0; i < encoder_.decoder().layer_count(); ++i) {
    slices.push_back({Phase::encode,
                      [this, &half, i] { half.features = encoder_.decoder().layer(i, half.features, half.encoding); }});
  }
  slices.push_back({Phase::encode, [this, &half, keep_features] {
                      half.caption = transformer_.embed_caption(half.features, half.grid);
                      half.encoding = {};
                      half.ids.reset();
                      if (!keep_features) half.features.reset();
                    }});
  for (std::size_t i = 0; i < static_cast<std::size_t>(transformer_.config().refiners); ++i) {
    slices.push_back({Phase::encode, [this, &half, i] {
                        half.caption = transformer_.context_refiner(i, half.caption, half.rope.caption);
                      }});
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
  encode(s.parts[0], tensors_, slices);
  if (guided) {
    begin_half(s, s.parts[1], item.negative_prompt);
    encode(s.parts[1], false, slices);
  }
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

void ZImage::enter(Session& session, int half, Slices& slices) {
  ZImageSession& s = cast(session);
  Half& part = s.parts[static_cast<std::size_t>(half)];
  slices.push_back(
      {Phase::denoise, [this, &s, &part] { s.hidden = transformer_.embed_image(s.state.to(dtype_), part.grid); }});
  for (std::size_t i = 0; i < static_cast<std::size_t>(transformer_.config().refiners); ++i) {
    slices.push_back({Phase::denoise, [this, &s, &part, i] {
                        s.hidden = transformer_.noise_refiner(i, s.hidden, part.rope.image, adaln(s));
                      }});
  }
  slices.push_back({Phase::denoise, [&s, &part] { s.hidden = at::cat({s.hidden, part.caption}); }});
}

void ZImage::layers(Session& session, int half, Layers range, Slices& slices) {
  ZImageSession& s = cast(session);
  Half& part = s.parts[static_cast<std::size_t>(half)];
  for (int i = range.first; i < range.last; ++i) {
    slices.push_back({Phase::denoise, [this, &s, &part, i] {
                        s.hidden = transformer_.layer(static_cast<std::size_t>(i), s.hidden, part.rope.all, adaln(s));
                      }});
  }
}

void ZImage::leave(Session& session, int half, Slices& slices) {
  ZImageSession& s = cast(session);
  Half& part = s.parts[static_cast<std::size_t>(half)];
  slices.push_back({Phase::denoise, [this, &s, &part] {
                      part.velocity = transformer_.velocity(s.hidden, adaln(s), part.grid).to(at::kFloat);
                      s.hidden.reset();
                    }});
}

void ZImage::advance(Session& session, Slices& slices) {
  slices.push_back({Phase::denoise, [&s = cast(session)] {
                      at::Tensor velocity = s.parts[0].velocity;
                      if (s.halves == 2) velocity = join(s.guidance, velocity, s.parts[1].velocity);
                      s.state = euler_step(s.schedule, s.pass, s.state, velocity);
                      ++s.pass;
                      s.halves = !s.done() && s.guidance.applies(s.time()) ? 2 : 1;
                    }});
}

// The decoder's steps over `latents`, which is asked for in the first of them.
void ZImage::decode_tile(ZImageSession& s, const std::function<at::Tensor()>& latents, Slices& slices) const {
  slices.push_back({Phase::decode, [this, &s, latents] { s.decoding = vae_.step(0, latents()); }});
  for (std::size_t i = 1; i < vae_.step_count(); ++i) {
    slices.push_back({Phase::decode, [this, &s, i] { s.decoding = vae_.step(i, s.decoding); }});
  }
}

Result ZImage::make_result(ZImageSession& s, const at::Tensor& decoded) const {
  const at::Tensor image = decoded.squeeze(0).to(at::kFloat);
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

void ZImage::finish(Session& session, Slices& slices, std::vector<Result>& results) {
  ZImageSession& s = cast(session);
  const TokenGrid& grid = s.parts[0].grid;
  const auto latents = [this, &s] { return vae_.unscale(s.state.unsqueeze(0).to(dtype_)); };
  const std::optional<Tiling> tiling =
      choose_tiling(vae_.config(), kPatch * grid.height, kPatch * grid.width, vae_tiling_);
  if (!tiling) {
    decode_tile(s, latents, slices);
    slices.push_back({Phase::decode, [this, &s, &results] {
                        results.push_back(make_result(s, s.decoding));
                        s.decoding.reset();
                      }});
    return;
  }
  const auto joiner = std::make_shared<TileJoiner>(*tiling);
  for (std::int64_t row = 0; row < tiling->rows; ++row) {
    for (std::int64_t column = 0; column < tiling->columns; ++column) {
      decode_tile(
          s, [=, t = *tiling] { return cut_tile(t, latents(), row, column); }, slices);
      slices.push_back({Phase::decode, [&s, joiner] { joiner->add(std::exchange(s.decoding, {})); }});
    }
  }
  slices.push_back(
      {Phase::decode, [this, &s, &results, joiner] { results.push_back(make_result(s, joiner->finish())); }});
}

}  // namespace

std::unique_ptr<Model> make_z_image(const ModelSettings& settings, const ModelFiles& files, PartParameters& wanted) {
  return std::make_unique<ZImage>(settings, files, wanted);
}

}  // namespace trireme::z_image
