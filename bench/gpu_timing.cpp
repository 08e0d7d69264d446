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

/// Of one piece of work, over all times that it is measured.
class Course {
 public:
  Course(at::Device device, const Contender& contender)
      : device_(device),
        nvml_(device.is_cuda() ? Nvml::open() : std::nullopt),
        repeat_(device, contender.graph, contender.work),
        runs_(contender.runs) {}

  void warm(double seconds) {
    const double start = steady_seconds();
    while (steady_seconds() - start < seconds) {
      for (int i = 0; i < 4; ++i) repeat_();
      device::synchronize(device_);
    }
  }
  void measure(int repeats) {
    std::vector<device::Event> marks(static_cast<std::size_t>(repeats) + 1);
    marks[0].record(device_);
    for (std::size_t i = 1; i < marks.size(); ++i) {
      repeat_();
      marks[i].record(device_);
      do {  // a few repeats ahead of the card, which is never idle
        if (nvml_) readings_.take(*nvml_);
      } while (!marks[i / 2].done());
    }
    device::synchronize(device_);
    for (std::size_t i = 1; i < marks.size(); ++i) times_.push_back(1e3 * marks[i].seconds_since(marks[i - 1]) / runs_);
  }
  Timing timing() const { return {median(times_), median(readings_.mhz), median(readings_.watts)}; }

 private:
  at::Device device_;
  std::optional<Nvml> nvml_;
  Repeat repeat_;
  int runs_;
  Readings readings_;
  std::vector<double> times_;
};

}  // namespace

double launched_ms(at::Device device, const std::function<void()>& work) {
  device::Event start, end;
  start.record(device);
  work();
  end.record(device);
  device::synchronize(device);
  return 1e3 * end.seconds_since(start);
}

double graph_ms(at::Device device, int calls, const std::function<void(int)>& work) {
  const Repeat repeat(device, /*graph=*/true, in_a_row(calls, work).work);
  std::vector<double> times;
  for (int i = 0; i < 9; ++i) times.push_back(launched_ms(device, [&] { repeat(); }) / calls);
  return median(times);
}

Timing time_hot(at::Device device, const Plan& plan, const std::function<void()>& work) {
  Course course(device, {work, plan.graph});
  course.warm(plan.warm_seconds);
  course.measure(plan.repeats);
  return course.timing();
}

Contender in_a_row(int calls, const std::function<void(int)>& work) {
  return {[=] {
            for (int i = 0; i < calls; ++i) work(i);
          },
          /*graph=*/true, calls};
}

std::vector<Timing> time_in_turns(at::Device device, const Plan& plan, const std::vector<Contender>& contenders) {
  constexpr int kRounds = 4, kLeast = 3;
  std::vector<Course> courses;
  for (const Contender& one : contenders) courses.emplace_back(device, one);
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < courses.size(); ++i) {
      courses[i].warm(plan.warm_seconds * (round == 0 && i == 0 ? 1 : 0.1));
      courses[i].measure(std::max(plan.repeats / kRounds / contenders[i].runs, kLeast));
    }
  }
  std::vector<Timing> timings;
  for (const Course& course : courses) timings.push_back(course.timing());
  return timings;
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
