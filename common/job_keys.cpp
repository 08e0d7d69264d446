#include "common/job_keys.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common/allocator_settings.h"
#include "common/did_you_mean.h"
#include "common/errors.h"
#include "common/utf8.h"
#include "common/yaml_reader.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string_view>;

/// What may stand behind a key: how it is read and how it is written.
template <class T>
struct Kind {
  std::function<T(const YamlNode&)> read;
  std::function<std::string(const T&)> show;
};

std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

Kind<int> whole(int min, int max) {
  return {[=](const YamlNode& node) {
            return static_cast<int>(read_int(node, {min, max}));
          },
          [](int value) { return std::to_string(value); }};
}

Kind<std::uint64_t> whole64() {
  return {read_uint64, [](std::uint64_t value) { return std::to_string(value); }};
}

Kind<double> number(double min, double max) {
  return {[=](const YamlNode& node) {
            return read_double(node, {min, max});
          },
          [](double value) { return nlohmann::json(value).dump(); }};
}

Kind<double> number_above(double min, double max) {
  return {[=](const YamlNode& node) { return read_double(node, {min, max, true}); }, number(min, max).show};
}

Kind<bool> flag() {
  return {read_bool, [](bool value) { return value ? "true" : "false"; }};
}

Kind<std::string> text() { return {read_text, quoted}; }

Kind<fs::path> path() {
  const auto read = [](const YamlNode& node) -> fs::path {
    const std::string name = read_text(node);
    if (name.find('\0') != std::string::npos) node.fail("a path can't hold NUL");
    return name;
  };
  return {read, [](const fs::path& value) { return quoted(value.string()); }};
}

Kind<std::string> choice(Words built) {
  const auto read = [=](const YamlNode& node) {
    const std::string word = read_text(node);
    if (std::find(built.begin(), built.end(), word) != built.end()) return word;
    node.fail("unknown value '" + printable(word, 60) + "'" + did_you_mean(word, built));
  };
  return {read, [](const std::string& value) { return value; }};
}

/// "[8, 7.5, 7, 7.5]", a YAML list or, behind --set, as text: halves of layers at least.
Kind<std::vector<double>> layer_counts() {
  const auto read = [](const YamlNode& node) {
    std::vector<YamlNode> parts;
    if (node.kind == YamlNode::Kind::list) {
      for (const auto& [key, part] : node.entries) parts.push_back(part);
    } else {
      std::string text = read_text(node);
      if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
      for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        const std::size_t first = std::min(text.find_first_not_of(' ', begin), end);
        YamlNode part = node;
        part.text = text.substr(first, text.find_last_not_of(' ', end - 1) + 1 - first);
        parts.push_back(part);
        begin = end + 1;
      }
    }
    std::vector<double> counts;
    for (const YamlNode& part : parts) {
      counts.push_back(read_double(part, {0.5, 1000}));
      if (counts.back() * 2 != std::floor(counts.back() * 2)) {
        part.fail("layers are cut in halves: " + part.text + " is neither whole nor ends in .5");
      }
    }
    return counts;
  };
  const auto show = [](const std::vector<double>& counts) {
    std::string list;
    for (const double count : counts) list += (list.empty() ? "" : ", ") + nlohmann::json(count).dump();
    return "[" + list + "]";
  };
  return {read, show};
}

Kind<std::string> dtype() {
  const Kind<std::string> known = choice({"float32", "bfloat16", "fp8"});
  const auto read = [=](const YamlNode& node) {
    const std::string word = read_text(node);
    if (word == "float16" || word == "fp16" || word == "half") {
      node.fail("float16 overflows in this model and gives black pictures; use bfloat16");
    }
    return known.read(node);
  };
  return {read, known.show};
}

Kind<std::string> allocator() {
  const auto read = [](const YamlNode& node) {
    const std::string settings = read_text(node);
    if (const auto problem = problem_of_allocator(settings)) node.fail(*problem);
    return settings;
  };
  return {read, quoted};
}

template <class T>
Kind<std::optional<T>> or_auto(Kind<T> kind) {
  return {
      [=](const YamlNode& node) { return node.is_plain("auto") ? std::nullopt : std::optional<T>(kind.read(node)); },
      [=](const std::optional<T>& value) { return value ? kind.show(*value) : "auto"; }};
}

template <class T>
JobKey key(std::string_view section, std::string_view name, T& field, Kind<T> kind) {
  return {section, name, [&field, kind](const YamlNode& node) { field = kind.read(node); },
          [&field, kind] { return kind.show(field); }};
}

}  // namespace

std::vector<JobKey> keys_of(Job& job) {
  constexpr int kMany = 1'000'000;
  auto& [model, parallel, dispatch, sampling, memory, input, output, monitor, limits, file] = job;
  return {
      key("model", "path", model.path, path()),
      key("model", "family", model.family,
          choice({"auto", "fake", "fake_text", "z_image", "newbie_image", "qwen2_5_vl"})),
      key("model", "dtype", model.dtype, or_auto(dtype())),
      key("model", "weights", model.weights, choice({"checkpoint", "dummy"})),
      key("model", "read", model.read, choice({"once", "per_node"})),
      key("model", "cache", model.cache, path()),

      key("parallel", "stages", parallel.stages, whole(1, kMany)),
      key("parallel", "split", parallel.split, or_auto(layer_counts())),
      key("parallel", "micro_batches", parallel.micro_batches, or_auto(whole(1, kMany))),
      key("parallel", "guidance", parallel.guidance, whole(1, 2)),
      key("parallel", "threads", parallel.threads, whole(1, 1024)),
      key("parallel", "transport", parallel.transport, or_auto(choice({"self", "mpi", "nccl"}))),

      key("dispatch", "policy", dispatch.policy,
          choice({"static", "round_robin", "least_loaded", "weighted", "predictive"})),
      key("dispatch", "queue_depth", dispatch.queue_depth, or_auto(whole(1, 1024))),
      key("dispatch", "batch", dispatch.batch, or_auto(whole(1, 1024))),

      key("sampling", "width", sampling.width, whole(1, kMaxPixels)),
      key("sampling", "height", sampling.height, whole(1, kMaxPixels)),
      key("sampling", "steps", sampling.steps, or_auto(whole(1, kMaxSteps))),
      key("sampling", "guidance", sampling.guidance, or_auto(number(0, kMaxGuidance))),
      key("sampling", "negative_prompt", sampling.negative_prompt, text()),
      key("sampling", "seed", sampling.seed, whole64()),
      key("sampling", "images_per_prompt", sampling.images_per_prompt, whole(1, kMaxImagesPerPrompt)),
      key("sampling", "cfg_truncation", sampling.cfg_truncation, number(0, kMaxCfgTruncation)),
      key("sampling", "cfg_normalization", sampling.cfg_normalization, number(0, kMaxCfgNormalization)),
      key("sampling", "shift", sampling.shift, or_auto(number_above(0, kMaxShift))),
      key("sampling", "sampler", sampling.sampler, or_auto(choice({"euler", "midpoint"}))),
      key("sampling", "system_prompt", sampling.system_prompt, or_auto(text())),
      key("sampling", "max_new_tokens", sampling.max_new_tokens, whole(1, kMaxNewTokens)),
      key("sampling", "temperature", sampling.temperature, or_auto(number(0, kMaxTemperature))),
      key("sampling", "top_k", sampling.top_k, or_auto(whole(0, kMaxTopK))),
      key("sampling", "top_p", sampling.top_p, or_auto(number_above(0, kMaxTopP))),
      key("sampling", "repetition_penalty", sampling.repetition_penalty,
          or_auto(number_above(0, kMaxRepetitionPenalty))),

      key("memory", "fraction", memory.fraction, number_above(0, 1)),
      {"memory", "vae_slicing",
       [](const YamlNode& node) {
         if (!or_auto(flag()).read(node).value_or(true)) {
           node.fail("false is not available: pictures are always decoded one at a time; use auto or true");
         }
       },
       [] { return "auto"; }},
      key("memory", "vae_tiling", memory.vae_tiling, or_auto(flag())),
      key("memory", "graphs", memory.graphs, or_auto(flag())),
      key("memory", "overlap", memory.overlap, or_auto(flag())),
      key("memory", "offload", memory.offload, choice({"none", "text_encoder", "layers"})),
      key("memory", "allocator", memory.allocator, or_auto(allocator())),
      key("memory", "on_oom", memory.on_oom, choice({"fail", "degrade"})),

      key("input", "prompts", input.prompts, path()),
      key("input", "image_root", input.image_root, or_auto(path())),

      key("output", "directory", output.directory, path()),
      key("output", "images", output.images, choice({"png", "none"})),
      key("output", "png_metadata", output.png_metadata, flag()),
      key("output", "tensors", output.tensors, flag()),
      key("output", "write", output.write, choice({"gathered", "local"})),
      key("output", "metrics_file", output.metrics_file, path()),

      key("monitor", "interval_seconds", monitor.interval_seconds, number(0.1, 86'400)),
      key("monitor", "gpu_memory_percent", monitor.gpu_memory_percent, number(0, 100)),
      key("monitor", "gpu_temperature_c", monitor.gpu_temperature_c, number(0, 200)),
      key("monitor", "ram_percent", monitor.ram_percent, number(0, 100)),

      key("limits", "max_attempts", limits.max_attempts, whole(1, 100)),
      key("limits", "stall_timeout_seconds", limits.stall_timeout_seconds, number_above(0, 1e7)),
      key("limits", "stop_before_seconds", limits.stop_before_seconds, number(0, 1e7)),
  };
}

}  // namespace trireme
