// What the kernels in worker/kernels reach, at the shapes of Z-Image at 1024 x 1024: kernels_bench [--small]
// Each beside the same work in plain ATen. Bytes are the least that must move: inputs once, outputs once. Buffers take
// turns, so that the L2 cache does not hold them. `--small` tries the program out; `--attention` and `--products` make
// the last tables alone.

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/gpu_timing.h"
#include "worker/device.h"
#include "worker/kernels/decode.h"
#include "worker/kernels/fp8.h"
#include "worker/kernels/gate.h"
#include "worker/kernels/gated_product.h"
#include "worker/kernels/group_norm.h"
#include "worker/kernels/hopper_attention.h"
#include "worker/kernels/norm.h"
#include "worker/kernels/pixels.h"
#include "worker/kernels/product.h"
#include "worker/kernels/rope.h"
#include "worker/kernels/softmax.h"
#include "worker/nn/attention.h"

namespace trireme::bench {
namespace {

constexpr double kPeak = 4.3e12;  // bytes/s of a copy on an H200
constexpr int kTurns = 4, kCalls = 12;

class Table {
 public:
  Table(at::Device device, bool small) : device_(device), small_(small) {
    std::printf(
        "%s\n\n| kernel | shape | ms | GB/s | %% of 4.3 TB/s | ATen ms | times |\n|---|---|---:|---:|---:|---:|---:|\n",
        device::name(device).c_str());
  }

  std::int64_t size(std::int64_t n) const { return small_ ? std::max<std::int64_t>(n / 64, 1) : n; }
  at::TensorOptions options() const { return at::TensorOptions(at::kBFloat16).device(device_); }
  std::vector<at::Tensor> tensors(at::IntArrayRef shape) const {
    std::vector<at::Tensor> all;
    for (int i = 0; i < kTurns; ++i) all.push_back(at::randn(shape, options()));
    return all;
  }
  at::Tensor vector(std::int64_t n) const { return at::randn({n}, options()); }
  std::vector<at::Tensor> pictures(std::int64_t channels, std::int64_t side) const {
    std::vector<at::Tensor> all = tensors({1, channels, side, side});
    for (at::Tensor& t : all) t = t.contiguous(at::MemoryFormat::ChannelsLast);
    return all;
  }

  using Work = std::function<void(int turn)>;
  void row(const char* kernel, const std::string& shape, std::int64_t bytes, const Work& ours, const Work& plain) {
    const auto ms = [&](const Work& work) { return graph_ms(device_, kCalls, [&](int i) { work(i % kTurns); }); };
    const double own = ms(ours), other = ms(plain);
    const double rate = static_cast<double>(bytes) / own * 1e3;
    std::printf("| %s | %s | %.4f | %.0f | %.0f | %.4f | %.1f |\n", kernel, shape.c_str(), own, rate / 1e9,
                100 * rate / kPeak, other, other / own);
    std::fflush(stdout);
  }

  at::Device device() const { return device_; }

 private:
  at::Device device_;
  bool small_;
};

std::string text(std::int64_t a, std::int64_t b) { return std::to_string(a) + " x " + std::to_string(b); }

at::Tensor plain_norm(const at::Tensor& x, const at::Tensor& weight) {
  const at::Tensor wide = x.to(at::kFloat);
  return (wide * at::rsqrt(wide.pow(2).mean(-1, true) + 1e-5)).to(x.scalar_type()) * weight;
}

at::Tensor plain_float8(const at::Tensor& x) {
  const at::Tensor wide = x.to(at::kFloat);
  return (wide * (448 / wide.abs().amax(-1, true))).to(at::kFloat8_e4m3fn);
}

constexpr std::int64_t kTokens = 4224, kDim = 3840, kWide = 10240;  // of Z-Image, kWide: of its feed-forward

void rows_of_norms(Table& table) {
  using namespace kernels;
  const std::int64_t tokens = table.size(kTokens), dim = kDim, bytes = 2 * tokens * dim;
  const std::vector<at::Tensor> x = table.tensors({tokens, dim}), r = table.tensors({tokens, dim});
  const at::Tensor w = table.vector(dim), next = table.vector(dim), gate = table.vector(dim), scale = table.vector(dim);
  const std::string shape = text(tokens, dim);
  table.row(
      "norm, scale", shape, 2 * bytes, [&](int i) { rms_norm(x[i], w, 1e-5, scale); },
      [&](int i) { plain_norm(x[i], w) * scale; });
  table.row(
      "layer norm, scale", shape, 2 * bytes, [&](int i) { layer_norm(x[i], scale, 1e-6); },
      [&](int i) { at::layer_norm(x[i], {dim}, {}, {}, 1e-6) * scale; });
  table.row(
      "norm, gate, residual", shape, 3 * bytes,
      [&](int i) {
        add_norm(r[i], x[i], {w, gate}, 1e-5);
      },
      [&](int i) { r[i] + gate* plain_norm(x[i], w); });
  table.row(
      "norm, gate, residual, next norm", shape, 4 * bytes,
      [&](int i) {
        add_then_norm(r[i], x[i], {w, gate}, {next, scale}, 1e-5);
      },
      [&](int i) { plain_norm(r[i] + gate * plain_norm(x[i], w), next) * scale; });
  table.row(
      "residual, next norm", text(128, 2560), 4 * 2 * 128 * 2560,
      [&, a = table.tensors({128, 2560}), v = table.vector(2560)](int i) {
        add_then_norm(a[i], a[(i + 1) % kTurns], {}, {v, {}}, 1e-6);
      },
      [&, a = table.tensors({128, 2560}), v = table.vector(2560)](int i) {
        plain_norm(a[i] + a[(i + 1) % kTurns], v);
      });
}

void rows_of_feed_forward(Table& table) {
  using namespace kernels;
  const std::int64_t tokens = table.size(kTokens), wide = kWide;
  const std::vector<at::Tensor> x = table.tensors({tokens, kDim});
  const std::vector<at::Tensor> both = table.tensors({tokens, 2 * wide});
  table.row(
      "silu times", text(tokens, wide), 3 * 2 * tokens * wide,
      [&](int i) { silu_mul(both[i].narrow(1, 0, wide), both[i].narrow(1, wide, wide)); },
      [&](int i) { at::silu(both[i].narrow(1, 0, wide)) * both[i].narrow(1, wide, wide); });
  table.row(
      "rows to float8", text(tokens, kDim), 3 * tokens * kDim, [&](int i) { quantise_rows(x[i]); },
      [&](int i) { plain_float8(x[i]); });
  table.row(
      "silu times, to float8", text(tokens, wide), 5 * tokens * wide,
      [&](int i) { quantise_silu_mul(both[i].narrow(1, 0, wide), both[i].narrow(1, wide, wide)); },
      [&](int i) { plain_float8(at::silu(both[i].narrow(1, 0, wide)) * both[i].narrow(1, wide, wide)); });
}

void rows_of_heads_and_scores(Table& table) {
  using namespace kernels;
  const std::int64_t tokens = table.size(kTokens), dim = kDim;
  const std::vector<at::Tensor> qkv = table.tensors({tokens, 90, 128});
  const at::Tensor angle = at::randn({tokens, 64}, table.options().dtype(at::kFloat)), head = table.vector(128);
  const RopeTable turn{angle.cos(), angle.sin()};
  table.row(
      "norm and turn q, k", text(tokens, 60 * 128), 2 * 2 * tokens * 60 * 128,
      [&](int i) {
        norm_rope_(qkv[i].narrow(1, 0, 60), 30, {head, head, 1e-5}, turn, RopePairs::adjacent);
      },
      [&](int i) {
        const at::Tensor normed = plain_norm(qkv[i].narrow(1, 0, 60), head).to(at::kFloat);
        const at::Tensor pairs = at::view_as_complex(normed.view({tokens, 60, 64, 2}));
        at::view_as_real(pairs * at::complex(turn.cos, turn.sin).unsqueeze(1)).flatten(2).to(at::kBFloat16);
      });
  const at::Tensor condition = at::randn({1, 256}, table.options());
  const std::vector<at::Tensor> weights = table.tensors({4 * dim, 256});
  const at::Tensor bias = table.vector(4 * dim);
  table.row(
      "modulation", text(4 * dim, 256), 2 * 4 * dim * 256, [&](int i) { modulation(condition, weights[i], bias); },
      [&](int i) {
        const at::Tensor y = at::linear(condition, weights[i], bias).view({4, dim});
        at::cat({y.narrow(0, 0, 1) + 1, y.narrow(0, 1, 1).tanh(), y.narrow(0, 2, 1) + 1, y.narrow(0, 3, 1).tanh()});
      });
  const at::Tensor scores = at::randn({table.size(4096), 16384}, table.options().dtype(at::kFloat));
  table.row(
      "softmax", text(scores.size(0), 16384), 6 * scores.numel(),
      [&](int) { scaled_softmax(scores, 0.04, at::kBFloat16); },
      [&](int) { at::softmax(scores * 0.04, 1).to(at::kBFloat16); });
}

void rows_of_pixels(Table& table) {
  using namespace kernels;
  struct Shape {
    std::int64_t channels, side;
  };
  for (const Shape& s : {Shape{128, 1024}, Shape{256, 1024}, Shape{512, 512}, Shape{512, 128}}) {
    const std::int64_t side = table.size(s.side);
    const std::vector<at::Tensor> x = table.pictures(s.channels, side);
    const std::int64_t bytes = 2 * x[0].numel();
    const at::Tensor w = table.vector(s.channels), b = table.vector(s.channels), quarter = table.vector(s.channels / 4);
    const std::string shape = std::to_string(s.channels) + " channels, " + text(side, side);
    table.row(
        "bias, group norm, silu (2 reads)", shape, 3 * bytes, [&](int i) { group_norm(x[i], 32, w, b, 1e-6, true, b); },
        [&](int i) {
          at::silu(at::group_norm(x[i] + b.view({1, -1, 1, 1}), 32, w, b, 1e-6));
        });
    table.row(
        "bias, residual", shape, 3 * bytes,
        [&](int i) {
          add_biased_({x[i], b}, {x[(i + 1) % kTurns], {}});
        },
        [&](int i) {
          x[i] + b.view({1, -1, 1, 1}) + x[(i + 1) % kTurns];
        });
    if (s.side == 1024) continue;
    table.row(
        "doubled picture joined", std::to_string(s.channels / 4) + " channels, " + text(2 * side - 2, 2 * side - 2),
        2 * bytes, [&](int i) { join_doubled(x[i], quarter); },
        [&](int i) {
          at::pixel_shuffle(x[i], 2) + quarter.view({1, -1, 1, 1});
        });
  }
}

void rows_of_bytes(Table& table) {
  const std::int64_t side = table.size(1024);
  const std::vector<at::Tensor> pictures = table.pictures(3, side);
  const auto image = [&](int i) { return pictures[i][0]; };
  table.row(
      "bytes of a picture", text(side, side), 3 * pictures[0].numel(), [&](int i) { kernels::to_bytes(image(i)); },
      [&](int i) {
        const at::Tensor levels = (image(i).to(at::kFloat) * 0.5 + 0.5).clamp(0, 1) * 255;
        at::round(levels).permute({1, 2, 0}).to(at::kByte).contiguous();
      });
}

const char* name(nn::AttentionKernel kernel) {
  switch (kernel) {
    case nn::AttentionKernel::hopper: return "ours";
    case nn::AttentionKernel::cudnn: return "cuDNN";
    case nn::AttentionKernel::flash: return "flash";
    case nn::AttentionKernel::products: return "products";
    case nn::AttentionKernel::any: return "ATen's choice";
  }
  return "";
}

/// Hot, so that rows may be compared with each other and with what a forward takes.
void attention_rows(Table& table) {
  struct Shape {
    std::int64_t sequences, tokens, heads, kv_heads, head_dim;
  };
  std::printf(
      "\n| attention: sequences, tokens, heads, key heads, width | by the rule | hot ms | TFLOP/s | MHz "
      "| ours | cuDNN | flash |\n|---|---|---:|---:|---:|---:|---:|---:|\n");
  for (const Shape& s : {Shape{1, 4160, 30, 30, 128}, Shape{1, 4096, 30, 30, 128}, Shape{1, 4224, 30, 30, 128},
                         Shape{1, 2368, 30, 30, 128}, Shape{1, 2304, 30, 30, 128}, Shape{1, 1088, 30, 30, 128},
                         Shape{1, 1152, 30, 30, 128}, Shape{1, 1024, 30, 30, 128}, Shape{4, 1088, 30, 30, 128},
                         Shape{4, 1152, 30, 30, 128}, Shape{4, 1024, 30, 30, 128}, Shape{1, 640, 30, 30, 128},
                         Shape{4, 320, 30, 30, 128},  Shape{1, 4352, 24, 8, 96},   Shape{1, 4096, 24, 8, 96},
                         Shape{1, 2560, 24, 8, 96},   Shape{1, 1280, 24, 8, 96},   Shape{1, 1024, 24, 8, 96},
                         Shape{1, 512, 24, 8, 96},    Shape{1, 256, 24, 8, 96},    Shape{1, 16384, 1, 1, 512}}) {
    const std::int64_t tokens = table.size(s.tokens);
    const std::vector<at::Tensor> qkv = table.tensors({s.sequences, tokens, s.heads + 2 * s.kv_heads, s.head_dim});
    struct Parts {
      at::Tensor q, k, v;
    };
    const auto parts = [&](int i) -> Parts {
      const at::Tensor all = s.sequences == 1 ? qkv[i % kTurns][0] : qkv[i % kTurns];
      return {all.narrow(-2, 0, s.heads), all.narrow(-2, s.heads, s.kv_heads),
              all.narrow(-2, s.heads + s.kv_heads, s.kv_heads)};
    };
    const auto hot = [&](const std::function<void(const Parts&)>& work) {
      return time_hot(table.device(), {/*warm_seconds=*/0.3, /*repeats=*/20, /*graph=*/true}, [&] {
        for (int i = 0; i < kCalls; ++i) work(parts(i));
      });
    };
    const auto text_of = [&](bool has, const std::function<void(const Parts&)>& work) {
      if (!has) return std::string();
      char ms[32];
      std::snprintf(ms, sizeof ms, "%.4f", hot(work).ms / kCalls);
      return std::string(ms);
    };
    const auto sequences = [&](const at::Tensor& x) { return s.sequences == 1 ? x.unsqueeze(0) : x; };
    const auto heads = [&](const at::Tensor& x) { return sequences(x).transpose(1, 2); };
    const bool ours = kernels::has_hopper_attention(parts(0).q), on_gpu = table.device().is_cuda();
    nn::AttentionOptions flash;
    flash.any_length = true;
    const Timing rule = hot([](const Parts& p) { nn::attention(p.q, p.k, p.v); });
    const std::string of_ours = text_of(
        ours, [&](const Parts& p) { kernels::hopper_attention(sequences(p.q), sequences(p.k), sequences(p.v), 0.1); });
    const std::string of_cudnn = text_of(on_gpu && s.head_dim <= 128, [&](const Parts& p) {
      at::_scaled_dot_product_cudnn_attention(heads(p.q), heads(p.k), heads(p.v), std::nullopt, false);
    });
    const std::string of_flash =
        text_of(s.head_dim <= 256, [&](const Parts& p) { nn::attention(p.q, p.k, p.v, flash); });
    const double operations = 4.0 * kCalls * static_cast<double>(s.sequences * tokens * tokens * s.heads * s.head_dim);
    std::printf("| %lld, %lld, %lld, %lld, %lld | %s | %.4f | %.0f | %.0f | %s | %s | %s |\n",
                static_cast<long long>(s.sequences), static_cast<long long>(tokens), static_cast<long long>(s.heads),
                static_cast<long long>(s.kv_heads), static_cast<long long>(s.head_dim),
                name(nn::attention_kernel(parts(0).q, parts(0).k)), rule.ms / kCalls, operations / rule.ms / 1e9,
                rule.sm_mhz, of_ours.c_str(), of_cudnn.c_str(), of_flash.c_str());
    std::fflush(stdout);
  }
}

/// A feed-forward's product with its gate, beside cuBLAS's and the kernel behind it; the first four shapes are those of
/// Z-Image at 1024 x 1024 and 512 x 512, NewBie-image, and Z-Image's caption.
void gated_product_rows(Table& table) {
  using namespace kernels;
  struct Shape {
    std::int64_t rows, dim, in;
  };
  const bool ours = has_gated_product(table.device(), at::kBFloat16);
  std::printf(
      "\n| product with gate: rows, width, in | by | hot ms | TFLOP/s | MHz | product, silu times ms | times |\n"
      "|---|---|---:|---:|---:|---:|---:|\n");
  for (const Shape& s :
       {Shape{4224, 10240, 3840}, Shape{1152, 10240, 3840}, Shape{4352, 9216, 2304}, Shape{128, 10240, 3840},
        Shape{384, 10240, 3840}, Shape{4608, 10240, 3840}, Shape{8448, 10240, 3840}, Shape{16896, 10240, 3840}}) {
    const std::int64_t rows = table.size(s.rows);
    const std::vector<at::Tensor> x = table.tensors({rows, s.in});
    std::vector<at::Tensor> stacked, ordered;
    for (int i = 0; i < 2; ++i) {
      stacked.push_back(at::randn({2 * s.dim, s.in}, table.options()) * 0.02);
      ordered.push_back(in_pairs(stacked.back()));
    }
    const auto hot = [&](const Table::Work& work) {
      return time_hot(table.device(), {/*warm_seconds=*/0.5, /*repeats=*/20, /*graph=*/true}, [&] {
        for (int i = 0; i < kCalls; ++i) work(i);
      });
    };
    const Timing fused = hot([&](int i) { gated_product(x[i % kTurns], ordered[i % 2]); });
    const Timing apart = hot([&](int i) {
      const at::Tensor both = at::linear(x[i % kTurns], stacked[i % 2]);
      silu_mul(both.narrow(1, 0, s.dim), both.narrow(1, s.dim, s.dim));
    });
    const double operations = 4.0 * kCalls * static_cast<double>(rows * s.dim * s.in);
    std::printf("| %lld, %lld, %lld | %s | %.4f | %.0f | %.0f | %.4f | %.3f |\n", static_cast<long long>(rows),
                static_cast<long long>(s.dim), static_cast<long long>(s.in), ours ? "CUTLASS" : "plain ATen",
                fused.ms / kCalls, operations / fused.ms / 1e9, fused.sm_mhz, apart.ms / kCalls, apart.ms / fused.ms);
    std::fflush(stdout);
  }
}

/// Products of the table beside what cuBLAS takes by itself, hot, in turns.
void measured_product_rows(Table& table) {
  std::printf(
      "\n| product: rows, out, in | by the table, ms | TFLOP/s | MHz | cuBLAS ms | times "
      "|\n|---|---:|---:|---:|---:|---:|\n");
  for (const kernels::ProductShape& s : kernels::measured_products()) {
    const std::int64_t rows = table.size(s.rows);
    const std::vector<at::Tensor> x = table.tensors({rows, s.in});
    std::vector<at::Tensor> weights;
    for (int i = 0; i < 2; ++i) weights.push_back(at::randn({s.out, s.in}, table.options()) * 0.02);
    const auto calls = [&](at::Tensor (*multiply)(const at::Tensor&, const at::Tensor&)) {
      return in_a_row(kCalls, [&, multiply](int i) { multiply(x[i % kTurns], weights[i % 2]); });
    };
    const auto plain = [](const at::Tensor& a, const at::Tensor& b) { return at::linear(a, b); };
    const std::vector<Timing> timings = time_in_turns(table.device(), {/*warm_seconds=*/2, /*repeats=*/20 * kCalls},
                                                      {calls(kernels::product), calls(plain)});
    const double operations = 2.0 * static_cast<double>(rows * s.out * s.in);
    std::printf("| %lld, %lld, %lld | %.4f | %.0f | %.0f | %.4f | %.3f |\n", static_cast<long long>(rows),
                static_cast<long long>(s.out), static_cast<long long>(s.in), timings[0].ms,
                operations / timings[0].ms / 1e9, timings[0].sm_mhz, timings[1].ms, timings[1].ms / timings[0].ms);
    std::fflush(stdout);
  }
}

void run(bool small, bool attention, bool products) {
  const c10::InferenceMode no_autograd;
  const at::Device device = device::choose(0);
  device::configure(device, {1, 0.9});
  const device::StreamGuard stream(device, /*high_priority=*/false);
  Table table(device, small);
  const bool all = !attention && !products;
  if (all) {
    rows_of_norms(table);
    rows_of_feed_forward(table);
    rows_of_heads_and_scores(table);
    rows_of_pixels(table);
    rows_of_bytes(table);
  }
  if (all || attention) attention_rows(table);
  if (all || products) gated_product_rows(table), measured_product_rows(table);
}

}  // namespace
}  // namespace trireme::bench

int main(int argc, char** argv) {
  CLI::App app("the kernels beside plain ATen");
  bool small = false, attention = false, products = false;
  app.add_flag("--small", small, "a 64th of the rows");
  app.add_flag("--attention", attention, "the attention of several shapes alone");
  app.add_flag("--products", products, "the products alone");
  CLI11_PARSE(app, argc, argv);
  trireme::bench::run(small, attention, products);
}
