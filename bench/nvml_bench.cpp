// What questions to the GPU driver cost, after a pause as between two samples and again at once: those of the monitor
// and other ways to ask for the same. Then what the monitor's samples of this node cost.
//   nvml_bench [--rounds 5] [--pause 1.1] [--samples 20]

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/cpu_clock.h"
#include "common/median.h"
#include "common/print.h"
#include "common/steady_clock.h"
#include "worker/monitor/node_reader.h"
#include "worker/monitor/nvml_library.h"

namespace {

using namespace trireme;
using nvml::Device, nvml::Library;

union Value {
  double real;
  unsigned small;
  unsigned long long large;
};
struct Field {
  unsigned id, scope;
  long long timestamp, latency;
  int type, result;  // type 1: small
  Value value;
};
struct Sampled {
  unsigned long long microseconds;
  Value value;
};
struct OfProcess {
  unsigned pid;
  unsigned long long microseconds;
  unsigned sm, memory, encoder, decoder;
};
enum FieldId : unsigned {
  ecc_corrected = 3,
  ecc_uncorrected = 4,
  power_policy = 74,
  energy = 83,
  average = 185,
  instant
};
constexpr int kTotalPower = 0, kGpuUtilization = 1;

/// Functions that the monitor does not use.
struct Others {
  int (*fields)(Device, int, Field*) = nullptr;
  int (*samples)(Device, int, unsigned long long, int*, unsigned*, Sampled*) = nullptr;
  int (*processes)(Device, OfProcess*, unsigned*, unsigned long long) = nullptr;

  explicit Others(const Library& library) {
    library.find(fields, "nvmlDeviceGetFieldValues");
    library.find(samples, "nvmlDeviceGetSamples");
    library.find(processes, "nvmlDeviceGetProcessUtilization");
  }
};

std::string said(int result, double value) {
  return result == nvml::kSuccess ? print("%.0f", value) : print("error %d", result);
}

/// `ask` says what the answer was.
struct Question {
  std::string name;
  std::function<std::string(Device)> ask;
  std::vector<double> cpu{}, wall{}, cpu_again{};
  std::string answer{};
};

template <class Value, class Function, class... Selector>
Question plain(const char* name, Function function, Selector... selector) {
  return {name, [=](Device gpu) {
            Value value{};
            const int result = function(gpu, selector..., &value);
            if constexpr (std::is_same_v<Value, nvml::Utilization>)
              return said(result, value.gpu);
            else if constexpr (std::is_same_v<Value, nvml::Memory>)
              return said(result, static_cast<double>(value.used));
            else
              return said(result, static_cast<double>(value));
          }};
}

Question fields(const Others& others, const char* name, std::vector<unsigned> ids) {
  return {name, [=](Device gpu) {
            std::vector<Field> asked(ids.size());
            for (std::size_t i = 0; i < ids.size(); ++i) asked[i] = {.id = ids[i]};
            const int result = others.fields(gpu, static_cast<int>(asked.size()), asked.data());
            std::string answer;
            for (const Field& field : asked) {
              const double value = static_cast<double>(field.type == 1 ? field.value.small : field.value.large);
              answer += said(result != nvml::kSuccess ? result : field.result, value) + " ";
            }
            return answer;
          }};
}

Question samples(const Others& others, const char* name, int type) {
  return {name, [=](Device gpu) {
            std::array<Sampled, 1024> found{};
            auto count = static_cast<unsigned>(found.size());
            int value_type = 0;
            const int result = others.samples(gpu, type, 0, &value_type, &count, found.data());
            if (result != nvml::kSuccess || count == 0) return said(result, count);
            const auto earlier = [](const Sampled& a, const Sampled& b) { return a.microseconds < b.microseconds; };
            const auto [first, last] = std::minmax_element(found.begin(), found.begin() + count, earlier);
            return print("%u values of %.2f s, the last %u", count,
                         static_cast<double>(last->microseconds - first->microseconds) / 1e6, last->value.small);
          }};
}

Question processes(const Others& others) {
  return {"utilization of processes", [=](Device gpu) {
            std::array<OfProcess, 1024> found{};
            auto count = static_cast<unsigned>(found.size());
            const int result = others.processes(gpu, found.data(), &count, 0);
            return said(result, count);
          }};
}

/// In groups of which none asks for the same thing twice: an answer may come from what was asked a moment ago.
std::vector<std::vector<Question>> all_questions(const Library& library) {
  using Large = unsigned long long;
  std::vector<std::vector<Question>> groups;
  groups.push_back({plain<nvml::Utilization>("utilization", library.utilization),
                    plain<nvml::Memory>("memory", library.memory),
                    plain<unsigned>("temperature", library.temperature, nvml::kGpuTemperature),
                    plain<unsigned>("power", library.power), plain<Large>("energy", library.energy),
                    plain<unsigned>("clock", library.clock, nvml::kSmClock),
                    plain<Large>("ecc corrected", library.ecc_errors, nvml::kCorrected, nvml::kSinceDriver),
                    plain<Large>("ecc uncorrected", library.ecc_errors, nvml::kUncorrected, nvml::kSinceDriver),
                    plain<Large>("throttle reasons", library.throttle_reasons)});
  const Others others(library);
  if (others.fields != nullptr) {
    groups.push_back({fields(others, "field: instant power", {instant}),
                      fields(others, "field: average power", {average}), fields(others, "field: energy", {energy}),
                      fields(others, "field: ecc corrected", {ecc_corrected}),
                      fields(others, "field: ecc uncorrected", {ecc_uncorrected}),
                      fields(others, "field: power policy", {power_policy})});
    groups.push_back(
        {fields(others, "fields: instant power, energy, ecc", {instant, energy, ecc_corrected, ecc_uncorrected})});
  }
  if (others.samples != nullptr) {
    groups.back().push_back(samples(others, "samples: utilization", kGpuUtilization));
    groups.back().push_back(samples(others, "samples: power", kTotalPower));
  }
  if (others.processes != nullptr) groups.back().push_back(processes(others));
  return groups;
}

void ask(Question& question, Device gpu) {
  const double cpu = thread_cpu_seconds(), wall = steady_seconds();
  question.answer = question.ask(gpu);
  const double cpu_between = thread_cpu_seconds();
  question.wall.push_back(steady_seconds() - wall);
  question.cpu.push_back(cpu_between - cpu);
  question.ask(gpu);
  question.cpu_again.push_back(thread_cpu_seconds() - cpu_between);
}

void pause(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

/// Another question is the first after the pause in every round.
void ask_all(const Library& library, std::vector<std::vector<Question>>& groups, int rounds, double seconds) {
  const auto gpus = library.gpus();
  for (int round = 0; round < rounds; ++round) {
    for (std::vector<Question>& group : groups) {
      pause(seconds);
      for (const Library::Gpu& gpu : gpus) {
        for (std::size_t i = 0; i < group.size(); ++i) {
          ask(group[(i + static_cast<std::size_t>(round)) % group.size()], gpu.device);
        }
      }
    }
  }
  std::printf("%zu GPUs; medians in ms\n%-36s %8s %8s %10s  %s\n", gpus.size(), "question", "cpu", "wall", "cpu again",
              "the last answer");
  for (const std::vector<Question>& group : groups) {
    for (const Question& question : group) {
      std::printf("%-36s %8.3f %8.3f %10.3f  %s\n", question.name.c_str(), 1e3 * median(question.cpu),
                  1e3 * median(question.wall), 1e3 * median(question.cpu_again), question.answer.c_str());
    }
  }
}

void sample_node(int samples) {
  NodeReader reader({.host = "here", .disk = "."});
  std::map<std::string, double> oldest;
  const auto sample = [&](bool counters) {
    const double cpu = thread_cpu_seconds(), wall = steady_seconds();
    const NodeSample node = reader.sample(counters);
    const std::pair cost(thread_cpu_seconds() - cpu, steady_seconds() - wall);
    for (const GpuSample& gpu : node.gpus) {
      for (const auto& [question, age] : gpu.age_seconds) oldest[question] = std::max(oldest[question], age);
    }
    return cost;
  };
  const auto row = [](const char* name, double cpu, double wall) {
    std::printf("%-36s %8.3f %8.3f\n", name, 1e3 * cpu, 1e3 * wall);
  };
  std::printf("\n%-36s %8s %8s\n", "a sample of the node each second", "cpu", "wall");
  const auto first = sample(false);
  row("the first", first.first, first.second);
  std::vector<double> cpu, wall;
  for (int i = 0; i < samples; ++i) {
    pause(1);
    const auto cost = sample(false);
    cpu.push_back(cost.first), wall.push_back(cost.second);
  }
  const auto mean = [](const std::vector<double>& all) {
    return std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(all.size());
  };
  row(print("mean of %d more", samples).c_str(), mean(cpu), mean(wall));
  row("the dearest of them", *std::max_element(cpu.begin(), cpu.end()), *std::max_element(wall.begin(), wall.end()));
  for (const auto& [question, age] : oldest) std::printf("%-36s %8.0f s old at most\n", question.c_str(), age);
  pause(1);
  const auto last = sample(true);
  row("one with the counters", last.first, last.second);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("what the monitor's questions to the driver cost");
  int rounds = 5, samples = 20;
  double seconds = 1.1;
  app.add_option("--rounds", rounds, "how often each is asked of each GPU")->check(CLI::PositiveNumber);
  app.add_option("--pause", seconds, "seconds between two rounds of a group")->check(CLI::PositiveNumber);
  app.add_option("--samples", samples, "of the node, one a second")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);

  const auto library = Library::open("libnvidia-ml.so.1");
  if (!library) {
    std::fprintf(stderr, "no GPU driver answers here (libnvidia-ml.so.1)\n");
    return 69;
  }
  auto groups = all_questions(*library);
  ask_all(*library, groups, rounds, seconds);
  sample_node(samples);
}
