#include "launcher/bench_image.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>

#include "common/checkpoint.h"
#include "common/cost_model.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/job.h"
#include "common/print.h"
#include "common/prompts.h"
#include "common/run_directory.h"
#include "launcher/launch_line.h"
#include "launcher/run.h"
#include "launcher/worker_path.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxPrompts = 1u << 30;

struct Options {
  std::string job, name = "ours";
  std::vector<int> gpus{1};
  int images = 12;  // a GPU
  int warm_up = 2;
  std::vector<std::string> overrides;
  std::string append;
  bool head = true;
};

/// What all runs share.
struct Bench {
  const Options& options;
  Job job;
  fs::path folder;
  ImageRun figures;
  int width = 0, height = 0;
};

/// `count` lines, those of the job's prompts over and over; ids are made anew.
void write_prompts(const fs::path& source, const fs::path& file, int count) {
  std::vector<std::string> lines;
  const std::string text = read_file(source, kMaxPrompts);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    if (line.find_first_not_of(" \r") != std::string::npos) lines.push_back(line);
    begin = end + 1;
  }
  if (lines.empty()) throw Error(ExitCode::bad_data, source.string() + ": no prompts to make pictures of");
  std::string all;
  for (int i = 0; i < count; ++i) {
    const std::string& line = lines[static_cast<std::size_t>(i) % lines.size()];
    nlohmann::ordered_json item =
        source.extension() == ".jsonl" ? nlohmann::ordered_json::parse(line) : nlohmann::ordered_json{{"prompt", line}};
    item["id"] = std::to_string(i);
    all += item.dump() + "\n";
  }
  write_file(file, all);
}

struct Ran {
  ImageRun run;
  std::vector<Status> readings;
};

/// Runs `images` pictures from the start in a folder of this name. `only_gpu`: -1 = the first `ranks`.
Ran run_job(const Bench& bench, const std::string& name, int ranks, int images, int only_gpu,
            const std::vector<std::string>& settings) {
  Ran ran{bench.figures, {}};
  ran.run.folder = bench.folder / name;
  ran.run.ranks = ranks;
  fs::remove_all(ran.run.folder);
  fs::create_directories(ran.run.folder);
  const fs::path prompts = bench.folder / (name + ".jsonl");
  write_prompts(bench.job.input.prompts, prompts, images);
  LaunchRequest request;
  request.worker = worker_beside_us();
  request.ranks = ranks;
  request.arguments = {bench.options.job, "--fresh", "--trace", "--progress", "none"};
  const auto set = [&](const std::string& key) { request.arguments.insert(request.arguments.end(), {"--set", key}); };
  for (const std::string& key : bench.options.overrides) set(key);
  for (const std::string& key : settings) set(key);
  set("input.prompts=" + prompts.string());
  set("output.directory=" + ran.run.folder.string());
  set("output.images=png");
  set("monitor.interval_seconds=0.2");
  LaunchLine line = compose_launch(request, look_at_machine());
  if (only_gpu >= 0) line.environment["CUDA_VISIBLE_DEVICES"] = std::to_string(only_gpu);
  GpuWatch watch(RunPaths{ran.run.folder}.status());
  const Outcome outcome = supervise(line);
  ran.readings = watch.stop();
  if (const ExitCode code = exit_code_of(outcome); code != ExitCode::ok) {
    throw Error(code, "the run in " + ran.run.folder.string() + " failed, see above");
  }
  return ran;
}

Bench prepare(const Options& options) {
  Bench bench{options, load_job(options.job, options.overrides), {}, {}, 0, 0};
  const Checkpoint checkpoint = inspect(bench.job);
  const std::vector<Item> items = read_items(bench.job, checkpoint.defaults);
  if (checkpoint.defaults.makes != Makes::pictures || items.empty()) {
    throw ConfigError(options.job + ": bench image is for jobs that make pictures, of at least one prompt");
  }
  const Item& item = items.front();
  bench.folder = bench.job.output.directory / "image_bench";
  bench.width = item.width, bench.height = item.height;
  bench.figures.warm_up = options.warm_up;
  bench.figures.forwards = item.steps;
  if (checkpoint.family == "fake") return bench;
  const ModelShape shape =
      read_model_shape(checkpoint.family, bench.job.model.path, bench.job.model.dtype.value_or("bfloat16"));
  double forwards = 0, flops = 0;
  for (const ItemCost::Pass& pass : cost_of(shape, item, guess_lengths(item)).passes) {
    forwards += pass.count;
    flops += pass.count * pass.total().flops;
  }
  bench.figures.forwards = forwards;
  bench.figures.flops = flops / forwards;
  return bench;
}

void say(const Options& options, const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
  if (options.append.empty()) return;
  std::ofstream file(options.append, std::ios::app);
  file << text;
  if (!file.flush()) throw Error(ExitCode::io_error, options.append + ": can't be written");
}

/// Parts where nothing runs beside anything, pace as the job says.
void bench_one(const Bench& bench) {
  const Options& options = bench.options;
  const Ran parts = run_job(bench, "parts", 1, options.images, -1, {"memory.overlap=false"});
  const Ran pace = run_job(bench, "pace", 1, options.images, -1, {});
  ImageRow row{options.name, 1, bench.width, bench.height, image_parts(parts.run), image_pace(pace.run, pace.readings)};
  say(options, to_line(row));
}

double rate_of_one(const Bench& bench, const std::string& name, int gpu) {
  const Ran ran = run_job(bench, name + std::to_string(gpu), 1, bench.options.images, gpu, {});
  const double rate = 1 / image_pace(ran.run, ran.readings).seconds_an_image;
  std::fprintf(stderr, "GPU %d %s: %.4f images/s\n", gpu, name.c_str(), rate);
  return rate;
}

void bench_scale(const Bench& bench) {
  const Options& options = bench.options;
  const int most = *std::max_element(options.gpus.begin(), options.gpus.end());
  std::vector<double> alone, at_once;
  for (int gpu = 0; gpu < most; ++gpu) alone.push_back(rate_of_one(bench, "alone", gpu));
  std::vector<std::future<double>> running;
  for (int gpu = 0; gpu < most; ++gpu) {
    running.push_back(std::async(std::launch::async, rate_of_one, std::cref(bench), "at_once", gpu));
  }
  for (auto& one : running) at_once.push_back(one.get());
  say(options, "\n" + scale_table_head());
  for (const int gpus : options.gpus) {
    const Ran ran = run_job(bench, "n" + std::to_string(gpus), gpus, gpus * options.images, -1, {});
    const auto sum = [&](const std::vector<double>& rates) {
      return std::accumulate(rates.begin(), rates.begin() + gpus, 0.0);
    };
    say(options, to_line(ScaleRow{gpus, image_pace(ran.run, ran.readings), sum(alone), sum(at_once)}));
  }
}

int bench(const Options& options) {
  const Bench prepared = prepare(options);
  fs::create_directories(prepared.folder);
  if (std::find(options.gpus.begin(), options.gpus.end(), 1) != options.gpus.end()) {
    if (options.head) say(options, image_table_head());
    bench_one(prepared);
  }
  if (options.gpus.size() > 1 || options.gpus.front() > 1) bench_scale(prepared);
  return 0;
}

std::string number(const char* format, const std::optional<double>& value) {
  return value ? print(format, *value) : "";
}

}  // namespace

std::string image_table_head() {
  return "| what | GPUs | size | batch | s/image | ms/forward | text encoder ms | VAE ms | outside ms | peak GiB "
         "| % of 790 TFLOP/s | MHz | W | J/image |\n"
         "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
}

std::string to_line(const ImageRow& row) {
  const auto& gpu = row.pace.gpu;
  const auto watts = gpu ? std::optional(gpu->watts) : std::nullopt,
             mhz = gpu ? std::optional(gpu->sm_mhz) : std::nullopt,
             joules = gpu ? std::optional(gpu->watts * row.pace.seconds_an_image) : std::nullopt;
  return print("| %s | %d | %dx%d | %d | %.4f | %.2f | %.2f | %.2f | %.2f | %.2f | %s | %s | %s | %s |\n",
               row.what.c_str(), row.gpus, row.width, row.height, row.parts.batch, row.pace.seconds_an_image,
               row.parts.forward_ms, row.parts.encode_ms, row.parts.decode_ms, row.parts.outside_ms, row.pace.peak_gib,
               number("%.1f", row.parts.percent).c_str(), number("%.0f", mhz).c_str(), number("%.0f", watts).c_str(),
               number("%.0f", joules).c_str());
}

std::string scale_table_head() {
  return "| GPUs | images | images/s | sum of each GPU alone | efficiency | sum of jobs of one GPU at once | "
         "efficiency "
         "| MHz | W |\n"
         "|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
}

std::string to_line(const ScaleRow& row) {
  const auto& gpu = row.pace.gpu;
  return print("| %d | %d | %.4f | %.4f | %.3f | %.4f | %.3f | %s | %s |\n", row.gpus, row.pace.images,
               row.pace.images_a_second, row.alone, row.pace.images_a_second / row.alone, row.at_once,
               row.pace.images_a_second / row.at_once,
               number("%.0f", gpu ? std::optional(gpu->sm_mhz) : std::nullopt).c_str(),
               number("%.0f", gpu ? std::optional(gpu->watts) : std::nullopt).c_str());
}

void add_bench_image(CLI::App& bench_command) {
  CLI::App* command = bench_command.add_subcommand(
      "image", "pictures a second once warm, and what the time goes into; files in output.directory/image_bench");
  const auto options = std::make_shared<Options>();
  command->add_option("job", options->job, "job file")->required();
  command
      ->add_option("-n,--ranks", options->gpus, "numbers of GPUs, as 1,2,4: more than one gives the table of scaling")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024));
  command->add_option("--images", options->images, "a GPU (default 12)")->check(CLI::Range(1, 1'000'000));
  command->add_option("--warm-up", options->warm_up, "units of each rank that do not count (default 2)")
      ->check(CLI::Range(0, 1000));
  command->add_option("--name", options->name, "of the row (default: ours)");
  command->add_option("--append", options->append, "a file that the tables are appended to");
  command->add_flag("!--no-head", options->head, "rows for a table that has its head");
  command->add_option("--set", options->overrides, "a.b=c: override a key of the job file")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->callback([options] {
    const int code = bench(*options);
    if (code != 0) throw CLI::RuntimeError(code);
  });
}

}  // namespace trireme
