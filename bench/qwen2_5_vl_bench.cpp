// What Qwen2.5-VL costs a replica: qwen2_5_vl_bench [--shapes bench/shapes/qwen2_5_vl_7b] [--batch 1,16] [--new-tokens
// 128] [--size 1024] [--units 3] [--threads 1]
// Random weights at the exact shapes; every request is one picture and a sentence. The model runs in the real engine,
// on a GPU if there is one. The phases are device time of one unit; requests/s is the wall time of `--units` units one
// behind the other, pictures decoded by this one thread.

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "common/errors.h"
#include "common/steady_clock.h"
#include "worker/device.h"
#include "worker/engine/whole_model.h"
#include "worker/models/load.h"
#include "worker/output/png.h"
#include "worker/transport/self_transport.h"
#include "worker/vision/patches.h"
#include "worker/vision/picture.h"

namespace trireme {
namespace {

struct Options {
  std::string shapes = "bench/shapes/qwen2_5_vl_7b";
  std::vector<int> batches = {1, 16};
  int new_tokens = 128, size = 1024;  // pixels
  int units = 3, threads = 1;
};

/// A PNG file of a smooth picture with some noise, as photographs have it.
ImageFile make_picture(int size) {
  const at::Tensor ramp = at::linspace(0, 6.28, size);
  const at::Tensor waves = (ramp.sin().unsqueeze(1) + (ramp * 2).cos().unsqueeze(0)) * 60 + 128;
  const at::Tensor noisy = waves.unsqueeze(2) + at::randn({size, size, 3}) * 8;
  const at::Tensor pixels = noisy.clamp(0, 255).to(at::kByte).contiguous();
  ImageFile file;
  file.name = "picture.png";
  file.data = encode_png({pixels.data_ptr<std::uint8_t>(), pixels.nbytes()}, size, size, {});
  file.bytes = file.data.size();
  return file;
}

Unit make_unit(int batch, const ImageFile& picture, const Options& options) {
  Unit unit;
  for (int i = 0; i < batch; ++i) {
    Item item;
    item.id = std::to_string(i);
    item.seed = static_cast<std::uint64_t>(i);
    item.messages = {
        {"user", {{ContentPart::Kind::image, "", 0}, {ContentPart::Kind::text, "describe the picture", 0}}}};
    item.images = {picture};
    item.max_new_tokens = options.new_tokens;
    item.repetition_penalty = 1.05;
    unit.items.push_back(std::move(item));
  }
  return unit;
}

/// Runs the units to their end; the last one's phases.
Finished run(Model& model, const Unit& unit, int count) {
  WholeModelEngine engine(model);
  for (int i = 0; i < count; ++i) engine.submit(unit);
  Finished last;
  for (int finished = 0; finished < count;) {
    engine.progress();
    if (std::optional<Finished> one = engine.take()) {
      last = std::move(*one);
      ++finished;
    }
  }
  for (const Result& result : last.results) {
    if (!result.error.empty()) throw Error(ExitCode::internal, result.error);
  }
  return last;
}

void print_preprocessing(const ImageFile& picture, const ModelFiles& files) {
  constexpr int kTimes = 10;
  const PatchConfig config = patch_config(files);
  double decode = 1e9, resize = 1e9;
  for (int i = 0; i < kTimes; ++i) {
    const double start = steady_seconds();
    const at::Tensor pixels = decode_picture(picture.data, picture.name);
    const double decoded = steady_seconds();
    resize_bytes(pixels, resized_size({pixels.size(0), pixels.size(1)}, config));
    decode = std::min(decode, decoded - start);
    resize = std::min(resize, steady_seconds() - decoded);
  }
  std::printf("on the CPU, best of %d: PNG decoding %.1f ms, resizing %.1f ms\n\n", kTimes, 1e3 * decode, 1e3 * resize);
}

void print_batch(Model& model, int batch, const ImageFile& picture, const Options& options) {
  const Unit unit = make_unit(batch, picture, options);
  run(model, unit, 1);  // warm-up
  const Finished one = run(model, unit, 1);
  const double start = steady_seconds();
  run(model, unit, options.units);
  const double wall = steady_seconds() - start;
  const auto seconds = [&](Phase phase) { return one.seconds[static_cast<std::size_t>(phase)]; };
  std::size_t steps = 0;
  for (const Result& result : one.results) steps = std::max(steps, result.text->token_ids.size());
  const double step = seconds(Phase::decode) / static_cast<double>(std::max<std::size_t>(steps, 2) - 1);
  std::printf("| %d | %lld | %zu | %.1f | %.1f | %.1f | %.2f | %.1f | %.2f | %.1f |\n", batch,
              static_cast<long long>(one.results[0].text->prompt_tokens), steps, 1e3 * seconds(Phase::encode),
              1e3 * seconds(Phase::prefill), 1e3 * (seconds(Phase::encode) + seconds(Phase::prefill)), 1e3 * step,
              batch / step, batch * options.units / wall,
              static_cast<double>(device::memory(model.device()).peak_allocated) / (1 << 30));
  std::fflush(stdout);
}

void bench(const Options& options) {
  const c10::InferenceMode no_autograd;
  const at::Device device = device::choose(0);
  device::configure(device, {options.threads, 0.9});
  const device::StreamGuard stream(device, /*high_priority=*/false);
  Job job;
  job.model.path = options.shapes;
  job.model.weights = "dummy";
  SelfTransport transport(device);
  const at::ScalarType dtype = device.is_cuda() ? at::kBFloat16 : at::kFloat;
  const LoadedModel loaded = load_model({"qwen2_5_vl", "", 0}, {job, device, dtype}, transport, [] {});
  const ImageFile picture = make_picture(options.size);
  std::printf("%s, %s, picture %dx%d\n", device::name(device).c_str(), options.shapes.c_str(), options.size,
              options.size);
  print_preprocessing(picture, read_model_files(options.shapes, /*weights=*/false, "qwen2_5_vl"));
  std::printf(
      "| batch | prompt tokens | new tokens | vision ms | prefill ms | first token ms | ms/step | tokens/s | "
      "requests/s "
      "| peak GiB |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
  for (const int batch : options.batches) print_batch(*loaded.model, batch, picture, options);
}

}  // namespace
}  // namespace trireme

int main(int argc, char** argv) {
  trireme::Options options;
  CLI::App app("Qwen2.5-VL in the engine, phase by phase");
  app.add_option("--shapes", options.shapes);
  app.add_option("--batch", options.batches)->delimiter(',');
  app.add_option("--new-tokens", options.new_tokens);
  app.add_option("--size", options.size, "of the picture, pixels");
  app.add_option("--units", options.units);
  app.add_option("--threads", options.threads);
  CLI11_PARSE(app, argc, argv);
  trireme::bench(options);
}
