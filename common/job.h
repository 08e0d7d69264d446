#pragma once
// The job file: YAML, strict. Every key has a default except model.path (or family: fake) and input.prompts. `auto` is
// an empty optional here; common/checkpoint.h fills what only the checkpoint knows. Errors: ConfigError with
// file:line:column, key, value and what would be right. Rank 0 and the launcher read it. docs/formats.md lists every
// key.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace trireme {

/// Largest sampling values, in the job file and in prompts alike; the seed is any of 64 bits.
constexpr int kMaxPixels = 8192;  // of width and of height
constexpr int kMaxSteps = 1000;
constexpr int kMaxImagesPerPrompt = 10'000;
constexpr double kMaxGuidance = 100, kMaxCfgTruncation = 1, kMaxCfgNormalization = 100, kMaxShift = 100;
constexpr int kMaxNewTokens = 1'000'000, kMaxTopK = 1'000'000;
constexpr double kMaxTemperature = 100, kMaxTopP = 1, kMaxRepetitionPenalty = 100;

struct Job {
  struct Model {
    std::filesystem::path path;          // a folder that exists; empty only for the fake family
    std::string family = "auto";         // auto | fake | fake_text | z_image | newbie_image | qwen2_5_vl
    std::optional<std::string> dtype;    // float32 | bfloat16 | fp8; auto: float32 on a CPU, bfloat16 on a GPU
    std::string weights = "checkpoint";  // checkpoint | dummy
    std::string read = "once";    // once (rank 0, which broadcasts) | per_node (every rank, from its host's cache)
    std::filesystem::path cache;  // a folder on each host's own disk for copies of the shards; empty: none
  } model;

  struct Parallel {
    int stages = 1;                            // ranks that share the layers of one copy of the model
    std::optional<std::vector<double>> split;  // layers of each stage, whole or with .5; auto: by cost
    std::optional<int> micro_batches;          // in flight between the stages; auto: as many as keep all busy
    int guidance = 1;                          // ranks that share the halves of guidance
    int threads = 1;                           // CPU threads a rank; bits depend on it
    std::optional<std::string> transport;      // self | mpi | nccl
  } parallel;

  struct Dispatch {
    std::string policy = "predictive";  // static | round_robin | least_loaded | weighted | predictive
    std::optional<int> queue_depth;     // units a replica holds; auto: 2, more of quick ones
    std::optional<int> batch;           // items of a unit
  } dispatch;

  struct Sampling {
    int width = 1024, height = 1024;  // pixels
    std::optional<int> steps;
    std::optional<double> guidance;
    std::string negative_prompt;
    std::uint64_t seed = 0;
    int images_per_prompt = 1;
    double cfg_truncation = 1.0, cfg_normalization = 0.0;
    std::optional<double> shift;
    std::optional<std::string> sampler;  // euler | midpoint
    std::optional<std::string> system_prompt;
    int max_new_tokens = 128;  // this and below: models that write text
    std::optional<double> temperature;
    std::optional<int> top_k;
    std::optional<double> top_p, repetition_penalty;
  } sampling;

  struct Memory {
    double fraction = 0.9;  // of the device's memory, for this process
    std::optional<bool> vae_tiling;
    std::optional<bool> graphs;            // CUDA graphs of what is launched again and again; auto: of small shapes
    std::optional<bool> overlap;           // prompts and pictures on a stream beside the steps; auto: on a GPU
    std::string offload = "none";          // none | text_encoder | layers: weights that stay in the host's memory
    std::optional<std::string> allocator;  // settings of LibTorch's caching allocator; auto: its own
    std::string on_oom = "fail";           // fail | degrade: smaller batches and tiles, and the result is marked
  } memory;

  struct Input {
    std::filesystem::path prompts;                    // .txt or .jsonl, a file that exists
    std::optional<std::filesystem::path> image_root;  // a folder that exists; auto: that of the prompts
  } input;

  struct Output {
    std::filesystem::path directory = "runs/first";
    std::string images = "png";  // png | none
    bool png_metadata = true;
    bool tensors = false;
    std::string write = "gathered";      // gathered (rank 0 writes) | local (each rank writes what it made)
    std::filesystem::path metrics_file;  // Prometheus text, replaced at every interval; empty: none
  } output;

  struct Monitor {
    double interval_seconds = 5;
    double gpu_memory_percent = 90, gpu_temperature_c = 85, ram_percent = 90;  // an alert above
  } monitor;

  struct Limits {
    int max_attempts = 2;
    double stall_timeout_seconds = 600;
    double stop_before_seconds = 0;  // 0: off; before the time limit of the Slurm job
  } limits;

  std::filesystem::path file;  // as given
};

/// Reads `file`, then applies "a.b=c" overrides (their errors name `--set a.b=c` as the place; the last one of a key
/// holds). A key of the full job file whose part is not built yet may only have its default value; anything else is
/// refused with "not available yet". model.path and input.prompts are looked for from the current directory, then
/// beside the job file, and must exist: ConfigError(input_missing) names both places.
Job load_job(const std::filesystem::path& file, const std::vector<std::string>& overrides);

/// The job as complete YAML, `auto` where nothing was set: `trireme-worker --dry-run` prints it, `load_job` reads it.
std::string to_yaml(const Job& job);

}  // namespace trireme
