// One forward of each network at its exact shapes with random weights, on a hot card, beside its floor: the products
// and attention alone, back to back, measured in the same call. forward_bench [--networks a,b] [--warm 3] [--profile]
// [--fp8] [--stacked]
// `--shapes DIR` with tiny copies of the configurations tries the program out on a CPU.

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "bench/gpu_timing.h"
#include "common/errors.h"
#include "worker/device.h"
#include "worker/kernels/product.h"
#include "worker/models/newbie_image/transformer.h"
#include "worker/models/z_image/transformer.h"
#include "worker/nn/attention.h"
#include "worker/nn/decoder.h"
#include "worker/nn/patches.h"
#include "worker/nn/upload.h"
#include "worker/vision/autoencoder_kl.h"
#include "worker/weights/arrange.h"
#include "worker/weights/loader.h"

namespace trireme::bench {
namespace {

struct Options {
  std::vector<std::string> networks = {"z_image_1024", "z_image_512", "z_image_512x4",
                                       "newbie_1024",  "vae_1024",    "text_128"};
  std::string shapes = "bench/shapes";
  double warm = 3;
  int repeats = 30;
  std::int64_t caption = 120;
  bool profile = false, fp8 = false, stacked = false;
};

struct Setting {
  at::Device device;
  at::ScalarType dtype;
  const Options& options;

  at::Tensor random(at::IntArrayRef shape) const { return at::randn(shape, at::TensorOptions(dtype).device(device)); }
};

using Work = std::function<void()>;

/// What is measured, and the least that has to be done (if anything is known).
struct Network {
  Work forward, floor;
  int forwards = 1;  // of one call of `forward`: a transformer's as a job makes them, their conditions at once
};

/// Blocks of `pictures` times `tokens` rows: their products and attention, with weights of two blocks in turn.
struct Blocks {
  std::int64_t count = 0, tokens = 0, pictures = 1;

  std::int64_t rows() const { return tokens * pictures; }
};

Work block_floor(const Setting& s, const nn::DitBlockConfig& c, std::vector<Blocks> blocks) {
  const std::int64_t columns = (c.heads + 2 * c.kv_heads) * c.head_dim;
  struct Weights {
    at::Tensor qkv, out, w13, w2;
  };
  std::vector<Weights> weights;
  for (int i = 0; i < 2; ++i) {
    weights.push_back({s.random({columns, c.dim}) * 0.02, s.random({c.dim, c.heads * c.head_dim}) * 0.02,
                       s.random({2 * c.feed_forward, c.dim}) * 0.02, s.random({c.dim, c.feed_forward}) * 0.02});
  }
  std::int64_t most = 0;
  for (const Blocks& b : blocks) most = std::max(most, b.rows());
  const at::Tensor x = s.random({most, c.dim}), wide = s.random({most, c.feed_forward}),
                   qkv = s.random({most, columns}), attended = s.random({most, c.heads * c.head_dim});
  return [=] {
    int turn = 0;
    for (const Blocks& b : blocks) {
      for (std::int64_t i = 0; i < b.count; ++i) {
        const Weights& w = weights[static_cast<std::size_t>(turn++ % 2)];
        const auto rows = [&](const at::Tensor& t) { return t.narrow(0, 0, b.rows()); };
        kernels::product(rows(x), w.qkv);
        const at::Tensor heads = rows(qkv).view({b.pictures, b.tokens, -1, c.head_dim});
        nn::attention(heads.narrow(2, 0, c.heads), heads.narrow(2, c.heads, c.kv_heads),
                      heads.narrow(2, c.heads + c.kv_heads, c.kv_heads));
        kernels::product(rows(attended), w.out);
        kernels::product(rows(x), w.w13);
        kernels::product(rows(wide), w.w2);
      }
    }
  };
}

void fill(const Setting& s, const char* part, const std::function<void(Parameters&)>& want) {
  PartParameters wanted;
  want(wanted[part]);
  make_dummy_weights(wanted, s.dtype, s.device);
  arrange_weights(wanted, {s.device, s.dtype, s.options.fp8, /*pairs=*/!s.options.stacked});
}

Network z_image_network(const Setting& s, std::int64_t side, std::int64_t count) {
  using namespace z_image;
  const ModelFiles files = read_model_files(s.options.shapes + "/z_image_turbo", /*weights=*/false);
  auto model = std::make_shared<Transformer>(transformer_config(PartConfig(files, "transformer")));
  fill(s, "transformer", [&](Parameters& p) { model->want(p); });
  const TransformerConfig& config = model->config();
  const TokenGrid grid{side, side, s.options.caption};
  const Grids grids(static_cast<std::size_t>(count), grid);
  const GridRope host = model->rope(grid);
  const auto of_all = [&](const nn::RopeTable& one) {
    nn::RopeTable all = one;
    for (std::int64_t i = 1; i < count; ++i) all = nn::concatenate(all, one);
    return nn::upload(all, s.device);
  };
  const std::vector<std::int64_t> one = {config.channels, 2 * side, 2 * side},
                                  several = {count, one[0], one[1], one[2]};
  const Transformer::Inputs inputs{s.random(count == 1 ? one : several),
                                   {},
                                   s.random({count * grid.padded_caption(), config.dim}),
                                   of_all(host.image),
                                   of_all(host.all)};
  const at::Tensor times = nn::upload(model->time_features(std::vector<float>(nn::kPassesTogether, 0.3f)), s.device);
  Network network;
  network.forwards = nn::kPassesTogether;
  network.forward = [=] {
    Transformer::Inputs in = inputs;
    for (const nn::DitCondition& condition : model->conditions(times, /*factors=*/true)) {
      in.condition = condition;
      model->forward(in, grids, s.dtype);
    }
  };
  const nn::DitBlockConfig block{config.dim,          config.heads,     config.heads,   config.head_dim,
                                 config.feed_forward, config.adaln_dim, config.norm_eps};
  network.floor = block_floor(s, block,
                              {{config.refiners, grid.padded_image(), count},
                               {config.layers, grid.padded_image() + grid.padded_caption(), count}});
  return network;
}

Network newbie_network(const Setting& s, std::int64_t side) {
  using namespace newbie_image;
  const ModelFiles files = read_model_files(s.options.shapes + "/newbie_image", /*weights=*/false, "newbie_image");
  auto model = std::make_shared<Transformer>(transformer_config(PartConfig(files, "transformer")));
  fill(s, "transformer", [&](Parameters& p) { model->want(p); });
  const TransformerConfig& config = model->config();
  const TokenGrid grid{side, side, 256};
  const GridRope host = model->rope(grid);
  const nn::RopeTable of_image = nn::upload(host.image, s.device), all = nn::upload(host.all, s.device);
  const at::Tensor latents = s.random({config.channels, 2 * side, 2 * side});
  const at::Tensor caption = s.random({grid.caption, config.block.dim});
  const at::Tensor times = nn::upload(nn::time_features(std::vector<float>(nn::kPassesTogether, 0.3f), 1), s.device);
  const at::Tensor pooled = s.random({1, config.pooled_out});
  Network network;
  network.forwards = nn::kPassesTogether;
  network.forward = [=] {
    for (const nn::DitCondition& condition : model->conditions(times, pooled, /*factors=*/true)) {
      nn::DitRows rows{model->embed_image(latents), {}};
      for (std::int64_t i = 0; i < config.refiners; ++i) {
        rows = model->noise_refiner(static_cast<std::size_t>(i), rows, of_image, condition);
      }
      rows = {at::cat({caption, rows.hidden}), {}};
      for (std::int64_t i = 0; i < config.layers; ++i) {
        rows = model->layer(static_cast<std::size_t>(i), rows, all, condition);
      }
      model->velocity(rows.hidden, condition, grid);
    }
  };
  network.floor =
      block_floor(s, config.block, {{config.refiners, side * side}, {config.layers, grid.caption + side * side}});
  return network;
}

/// A decoder without its encoder; latents of `side` x `side`.
Network vae_network(const Setting& s, std::int64_t side, std::int64_t count) {
  const ModelFiles files = read_model_files(s.options.shapes + "/z_image_turbo", /*weights=*/false);
  const PartConfig part(files, "vae");
  auto vae = std::make_shared<AutoencoderDecoder>(autoencoder_config(part));
  fill(s, "vae", [&](Parameters& p) { vae->want(p, part); });
  const at::Tensor latents = s.random({count, vae->config().latent_channels, side, side});
  return {[=] {
            at::Tensor x = vae->unscale(latents);
            for (std::size_t i = 0; i < vae->step_count(); ++i) x = vae->step(i, x);
          },
          {}};
}

/// The caption encoder of Z-Image; its floor is one pass over its weights.
Network text_network(const Setting& s, std::int64_t tokens) {
  const ModelFiles files = read_model_files(s.options.shapes + "/z_image_turbo", /*weights=*/false);
  nn::DecoderConfig config = nn::decoder_config(PartConfig(files, "text_encoder"), "model.");
  const std::int64_t layers = config.layers - 1;
  auto decoder = std::make_shared<nn::Decoder>(config, layers);
  fill(s, "text_encoder", [&](Parameters& p) { decoder->want(p, "model.", /*final_norm=*/false); });
  const nn::DecoderPass pass = decoder->begin(at::arange(tokens, at::kLong), s.device);
  const at::Tensor ids = nn::upload(at::arange(tokens, at::kLong), s.device);
  const std::int64_t weights =
      layers * config.hidden * ((2 * config.heads + 2 * config.kv_heads) * config.head_dim + 3 * config.intermediate);
  const at::Tensor from = s.random({weights / 2});  // read one half, write the other: the same bytes
  const at::Tensor to = at::empty_like(from);
  return {[=] {
            at::Tensor x = decoder->embed(ids);
            for (std::int64_t i = 0; i < layers; ++i) x = decoder->layer(static_cast<std::size_t>(i), x, pass);
          },
          [=] { to.copy_(from); }};
}

Network make_network(const Setting& s, const std::string& name) {
  const std::size_t cut = name.rfind('_'), times = name.find('x', cut);
  const std::int64_t size = std::stoll(name.substr(cut + 1));
  const std::int64_t pictures = times == std::string::npos ? 1 : std::stoll(name.substr(times + 1));
  const std::string kind = name.substr(0, cut);
  if (kind == "z_image") return z_image_network(s, size / 16, pictures);
  if (kind == "newbie") return newbie_network(s, size / 16);
  if (kind == "vae") return vae_network(s, size / 8, pictures);
  if (kind == "text") return text_network(s, size);
  throw Error(ExitCode::usage, "no network " + name + ": z_image_N, vae_N, either with xPICTURES, newbie_N or text_N");
}

void print_row(const Setting& s, const std::string& name) {
  const Network network = make_network(s, name);
  const Plan plan{s.options.warm, s.options.repeats};
  std::vector<Contender> contenders{{network.forward, /*graph=*/true, network.forwards},
                                    {network.forward, /*graph=*/false, network.forwards}};
  if (network.floor) contenders.push_back({network.floor});
  std::vector<Timing> timings = time_in_turns(s.device, plan, contenders);
  timings.resize(3);
  const Timing &graph = timings[0], &eager = timings[1], &floor = timings[2];
  std::printf("| %s | %.2f | %.2f | %.0f | %.0f | %.2f | %.0f | %.0f | %.3f |\n", name.c_str(), eager.ms, graph.ms,
              graph.sm_mhz, graph.watts, floor.ms, floor.sm_mhz, floor.watts, floor.ms > 0 ? graph.ms / floor.ms : 0);
  std::fflush(stdout);
}

void run(const Options& options) {
  const c10::InferenceMode no_autograd;
  const at::Device device = device::choose(0);
  device::configure(device, {1, 0.9});
  const device::StreamGuard stream(device, /*high_priority=*/false);
  const Setting setting{device, device.is_cuda() ? at::kBFloat16 : at::kFloat, options};
  std::printf(
      "%s\n\n| forward | eager ms | as a graph ms | MHz | W | floor ms | MHz | W | graph / floor |\n"
      "|---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
      device::name(device).c_str());
  for (const std::string& name : options.networks) print_row(setting, name);
  if (!options.profile) return;
  for (const std::string& name : options.networks) {
    const Network network = make_network(setting, name);
    network.forward();
    network.forward();
    device::synchronize(device);
    std::printf("\n%s, %d times\n%s", name.c_str(), network.forwards, profile(device, network.forward, 24).c_str());
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace trireme::bench

int main(int argc, char** argv) {
  trireme::bench::Options options;
  CLI::App app("forwards beside their floors");
  app.add_option("--networks", options.networks)->delimiter(',');
  app.add_option("--shapes", options.shapes);
  app.add_option("--warm", options.warm, "seconds of repeats before measuring");
  app.add_option("--repeats", options.repeats);
  app.add_option("--caption", options.caption, "tokens of Z-Image's captions")->check(CLI::Range(1, 1000));
  app.add_flag("--profile", options.profile, "the kernels of each forward by time, through CUPTI");
  app.add_flag("--fp8", options.fp8, "transformers as with model.dtype: fp8; floors stay bfloat16");
  app.add_flag("--stacked", options.stacked, "gates behind their products, as where the GPU has no kernel for both");
  CLI11_PARSE(app, argc, argv);
  trireme::bench::run(options);
}
