#include "bench/gpu_timing.h"

#include <ATen/cuda/CUDAGraph.h>
#include <torch/csrc/autograd/profiler_kineto.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "common/median.h"
#include "common/print.h"
#include "common/steady_clock.h"
#include "worker/device.h"
#include "worker/monitor/nvml.h"

namespace trireme::bench {
namespace {

/// Something to repeat: a graph of the work, or the work itself.
class Repeat {
 public:
  Repeat(at::Device device, bool graph, std::function<void()> work) : work_(std::move(work)) {
    for (int i = 0; i < 2; ++i) work_();  // plans, workspaces
    device::synchronize(device);
    if (!graph || device.is_cpu()) return;
    graph_ = std::make_unique<at::cuda::CUDAGraph>();
    graph_->capture_begin();
    work_();
    graph_->capture_end();
  }
  void operator()() const { graph_ ? graph_->replay() : work_(); }

 private:
  std::function<void()> work_;
  std::unique_ptr<at::cuda::CUDAGraph> graph_;
};

struct Readings {
  std::vector<double> mhz, watts;

  void take(const Nvml& nvml) {
    if (nvml.gpus().empty()) return;
    GpuSample gpu;
    if (nvml.ask(0, Nvml::Question::clock, gpu)) mhz.push_back(*gpu.sm_mhz);
    if (nvml.ask(0, Nvml::Question::power, gpu)) watts.push_back(*gpu.power_watts);
  }
};

}  // namespace

double graph_ms(at::Device device, int calls, const std::function<void(int)>& work) {
  const Repeat repeat(device, /*graph=*/true, [&] {
    for (int i = 0; i < calls; ++i) work(i);
  });
  std::vector<double> times;
  for (int i = 0; i < 9; ++i) {
    device::Event start, end;
    start.record(device);
    repeat();
    end.record(device);
    device::synchronize(device);
    times.push_back(1e3 * end.seconds_since(start) / calls);
  }
  return median(times);
}

Timing time_hot(at::Device device, const Plan& plan, const std::function<void()>& work) {
  const Repeat repeat(device, plan.graph, work);
  const std::optional<Nvml> nvml = device.is_cuda() ? Nvml::open() : std::nullopt;
  const double start = steady_seconds();
  while (steady_seconds() - start < plan.warm_seconds) {
    for (int i = 0; i < 4; ++i) repeat();
    device::synchronize(device);
  }
  std::vector<device::Event> marks(static_cast<std::size_t>(plan.repeats) + 1);
  marks[0].record(device);
  Readings readings;
  for (std::size_t i = 1; i < marks.size(); ++i) {
    repeat();
    marks[i].record(device);
    while (!marks[i / 2].done()) {  // a few repeats ahead of the card, which is never idle
      if (nvml) readings.take(*nvml);
    }
  }
  device::synchronize(device);
  std::vector<double> times;
  for (std::size_t i = 1; i < marks.size(); ++i) times.push_back(1e3 * marks[i].seconds_since(marks[i - 1]));
  return {median(times), median(readings.mhz), median(readings.watts)};
}

std::string profile(at::Device device, const std::function<void()>& work, std::size_t lines) {
  using namespace torch::autograd::profiler;
  const ProfilerConfig config(ProfilerState::KINETO);
  const std::set<ActivityType> activities = {ActivityType::CPU, ActivityType::CUDA};
  prepareProfiler(config, activities);
  enableProfiler(config, activities);
  work();
  device::synchronize(device);
  const std::unique_ptr<ProfilerResult> result = disableProfiler();
  struct Total {
    double ms = 0;
    int launches = 0;
  };
  std::map<std::string, Total> totals;
  double all = 0;
  int launches = 0;
  for (const KinetoEvent& event : result->events()) {
    if (device.is_cuda() != (event.deviceType() == c10::DeviceType::CUDA)) continue;
    Total& total = totals[event.name().substr(0, 110)];
    const double ms = 1e-6 * static_cast<double>(event.durationNs());
    total.ms += ms, all += ms;
    ++total.launches, ++launches;
  }
  std::vector<std::pair<std::string, Total>> order(totals.begin(), totals.end());
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.second.ms > b.second.ms; });
  std::string text = print("%9.3f ms %5d launches in all\n", all, launches);
  for (std::size_t i = 0; i < std::min(lines, order.size()); ++i) {
    text += print("%9.3f ms %5d  %s\n", order[i].second.ms, order[i].second.launches, order[i].first.c_str());
  }
  return text;
}

}  // namespace trireme::bench
