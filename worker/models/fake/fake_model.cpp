#include "worker/models/fake/fake_model.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>

#include "common/errors.h"
#include "worker/models/fake/directives.h"
#include "worker/models/list.h"

namespace trireme {
namespace {

constexpr int kLayers = 4;
constexpr int kChannels = 4, kGrid = 8;  // latents

class FakeSession final : public Session {
 public:
  FakeSession(const Unit& u, const Directives& d) : Session(u), directives(d) {}
  const Item& item() const { return unit.items[0]; }
  const Directives directives;
  at::Tensor caption;  // [L, 4] float32
};

class FakeModel final : public Model {
 public:
  FakeModel(bool tensors, Stage stage) : tensors_(tensors), stage_(std::move(stage)) {}

  at::Device device() const override { return at::kCPU; }
  int layer_count() const override { return kLayers; }
  Layers own_layers() const override { return stage_.layers(kLayers); }
  bool finishes_anywhere() const override { return !tensors_; }  // the caption is on the outer stages alone

  std::unique_ptr<Session> begin(const Unit& unit, Slices& slices) override {
    const Item& item = unit.items.at(0);
    const Directives directives = Directives(item.prompt);
    if (directives.fail) throw ItemError("the prompt asks to fail");
    auto session = std::make_unique<FakeSession>(unit, directives);
    session->passes = item.steps;
    session->halves = item.guidance > 0 ? 2 : 1;
    slices.push_back({Phase::encode, [&s = *session] {
                        const auto& text = s.item().prompt;
                        s.caption = at::zeros({caption_length(s.item()), 4});
                        for (std::size_t i = 0; i < text.size(); ++i) {
                          s.caption[static_cast<std::int64_t>(i)].fill_(static_cast<unsigned char>(text[i]) / 256.0);
                        }
                        auto generator = at::make_generator<at::CPUGeneratorImpl>(s.item().seed);
                        s.state = at::randn({kChannels, kGrid, kGrid}, generator);
                      }});
    return session;
  }

  void enter(Session& session, int half, Slices& slices) override {
    slices.push_back({Phase::denoise, [&s = cast(session), half] {
                        const double text = half == 0 ? s.caption.mean().item<double>() : 0.0;
                        s.hidden = s.state.reshape({kChannels, -1}).t().contiguous() + text;
                        if (half == 0 && s.pass == 0) s.side = {s.caption};
                      }});
  }

  void layers(Session& session, int, Layers range, Slices& slices) override {
    for (int layer = range.first; layer < range.last; ++layer) {
      slices.push_back({Phase::denoise, [this, &s = cast(session), layer, part = range.part(layer)] {
                          memory_.refuse(s.item().id, s.directives.oom);
                          if (attends(part)) attend(s, layer);
                          if (feeds_forward(part)) feed_forward(s, layer);
                        }});
    }
  }

  void leave(Session& session, int half, Slices& slices) override {
    slices.push_back(
        {Phase::denoise, [&s = cast(session), half] {
           s.predictions[static_cast<std::size_t>(half)] = s.hidden.t().reshape({kChannels, kGrid, kGrid}).contiguous();
           if (half == 0 && s.pass == 0) s.caption = s.side.at(0);
         }});
  }

  void advance(Session& session, Slices& slices) override {
    slices.push_back({Phase::denoise, [&s = cast(session)] {
                        at::Tensor step = s.predictions[0];
                        if (s.halves == 2) step = step + s.item().guidance * (step - s.predictions[1]);
                        s.state = s.state - step / s.item().steps;
                        ++s.pass;
                      }});
  }

  void follow(Session& session, Slices& slices) override {
    slices.push_back({Phase::denoise, [&s = cast(session)] { ++s.pass; }});
  }

  Crossing crossing(const Session& session, int half) const override {
    Crossing crossing;
    crossing.hidden = {at::kFloat, {kGrid * kGrid, kChannels}};
    if (half == 0 && session.pass == 0) crossing.side = {{at::kFloat, {caption_length(session.unit.items[0]), 4}}};
    crossing.state = {at::kFloat, {kChannels, kGrid, kGrid}};
    return crossing;
  }

  void finish(Session& session, Slices& slices, std::vector<Result>& results) override {
    slices.push_back(
        {Phase::decode, [this, &s = cast(session), &results] {
           const Item& item = s.item();
           memory_.refuse(item.id + " decode", s.directives.oom_decode);
           const at::Tensor rgb = s.state.slice(0, 0, 3).unsqueeze(0);
           const at::Tensor image = at::upsample_nearest2d(rgb, {item.height, item.width}).squeeze(0);
           Result result;
           result.id = item.id;
           result.picture =
               at::round((image * 0.25 + 0.5).clamp(0, 1) * 255).permute({1, 2, 0}).contiguous().to(at::kByte);
           if (tensors_) {
             result.tensors = {{"caption", s.caption}, {"latents", s.state}, {"image", image.contiguous()}};
           }
           results.push_back(std::move(result));
         }});
  }

 private:
  static FakeSession& cast(Session& session) { return static_cast<FakeSession&>(session); }

  static std::int64_t caption_length(const Item& item) {
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(item.prompt.size()));
  }

  static void attend(FakeSession& s, int layer) {
    act(s, layer);
    s.hidden = s.hidden * (1.0 + 0.1 * layer);
  }

  static void feed_forward(FakeSession& s, int layer) {
    act(s, layer);
    s.hidden = at::sin(s.hidden);
  }

  /// Half a layer's.
  static void act(const FakeSession& s, int layer) {
    if (s.directives.fail_layer == layer) {
      throw ItemError("the prompt asks to fail in layer " + std::to_string(layer));
    }
    s.directives.act(s.item().id, 0.5 / (s.passes * s.halves * kLayers));
  }

  const bool tensors_;
  const Stage stage_;
  ShortMemory memory_;
};

}  // namespace

std::unique_ptr<Model> make_fake_model(const ModelSettings& settings) {
  return std::make_unique<FakeModel>(settings.job.output.tensors, settings.stage);
}

}  // namespace trireme
