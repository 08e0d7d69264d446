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
  explicit FakeModel(bool tensors) : tensors_(tensors) {}

  at::Device device() const override { return at::kCPU; }
  int layer_count() const override { return kLayers; }

  std::unique_ptr<Session> begin(const Unit& unit, Slices& slices) override {
    const Item& item = unit.items.at(0);
    const Directives directives = Directives(item.prompt);
    if (directives.fail) throw ItemError("the prompt asks to fail");
    auto session = std::make_unique<FakeSession>(unit, directives);
    session->passes = item.steps;
    session->halves = item.guidance > 0 ? 2 : 1;
    slices.push_back({Phase::encode, [&s = *session] {
                        const auto& text = s.item().prompt;
                        const auto length = std::max<std::int64_t>(1, static_cast<std::int64_t>(text.size()));
                        s.caption = at::zeros({length, 4});
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
                      }});
  }

  void layers(Session& session, int, Layers range, Slices& slices) override {
    for (int layer = range.first; layer < range.last; ++layer) {
      slices.push_back({Phase::denoise, [&s = cast(session), layer] { run_layer(s, layer); }});
    }
  }

  void leave(Session& session, int half, Slices& slices) override {
    slices.push_back(
        {Phase::denoise, [&s = cast(session), half] {
           s.predictions[static_cast<std::size_t>(half)] = s.hidden.t().reshape({kChannels, kGrid, kGrid}).contiguous();
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

  void finish(Session& session, Slices& slices, std::vector<Result>& results) override {
    slices.push_back(
        {Phase::decode, [this, &s = cast(session), &results] {
           const Item& item = s.item();
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

  static void run_layer(FakeSession& s, int layer) {
    s.directives.act(s.item().id, 1.0 / (s.passes * s.halves * kLayers));
    s.hidden = at::sin(s.hidden * (1.0 + 0.1 * layer));
  }

  const bool tensors_;
};

}  // namespace

std::unique_ptr<Model> make_fake_model(const ModelSettings& settings) {
  return std::make_unique<FakeModel>(settings.job.output.tensors);
}

}  // namespace trireme
