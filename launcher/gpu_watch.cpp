#include "launcher/gpu_watch.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "common/energy_meter.h"
#include "common/errors.h"

namespace trireme {
namespace {

constexpr auto kBetweenReadings = std::chrono::milliseconds(50);

struct Draw {
  EnergyMeter energy;
  double begin = 0, end = 0, mhz = 0;
  int readings = 0;
  double joules() const { return energy.joules(end - begin).value_or(0); }
};

}  // namespace

std::optional<GpuUse> gpu_use(const std::vector<Status>& readings, std::uint64_t warm, int gpus) {
  std::map<std::pair<std::string, int>, Draw> draws;  // by host and index
  for (const Status& status : readings) {
    if (status.state != "running" || status.done < warm) continue;
    for (const NodeSample& node : status.nodes) {
      for (const GpuSample& gpu : node.gpus) {
        if (!gpu.sm_mhz || (!gpu.energy_joules && !gpu.power_watts)) continue;
        Draw& draw = draws[{node.host, gpu.index}];
        if (draw.readings == 0) draw.begin = status.seconds;
        draw.end = status.seconds;
        draw.energy.add(status.seconds - draw.begin, gpu);
        draw.mhz += *gpu.sm_mhz;
        ++draw.readings;
      }
    }
  }
  std::vector<Draw> most;
  for (const auto& [name, draw] : draws) {
    if (draw.readings > 1 && draw.end > draw.begin) most.push_back(draw);
  }
  std::sort(most.begin(), most.end(), [](const Draw& a, const Draw& b) { return a.joules() > b.joules(); });
  most.resize(std::min(most.size(), static_cast<std::size_t>(gpus)));
  if (most.empty()) return std::nullopt;
  GpuUse use;
  for (const Draw& draw : most) {
    use.watts += draw.joules() / (draw.end - draw.begin);
    use.sm_mhz += draw.mhz / draw.readings / static_cast<double>(most.size());
  }
  return use;
}

struct GpuWatch::Impl {
  std::vector<Status> readings;
  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;
  std::thread thread;

  void watch(const std::filesystem::path& file) {
    std::unique_lock lock(mutex);
    while (!wake.wait_for(lock, kBetweenReadings, [this] { return stopping; })) {
      try {
        Status now = read_status(file);
        if (readings.empty() || now.seconds != readings.back().seconds) readings.push_back(std::move(now));
      } catch (const Error&) {  // none yet
      }
    }
  }
};

GpuWatch::GpuWatch(std::filesystem::path file) : impl_(std::make_unique<Impl>()) {
  sigset_t all, before;  // signals are for the thread that supervises the job
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  impl_->thread = std::thread([impl = impl_.get(), file = std::move(file)] { impl->watch(file); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

GpuWatch::~GpuWatch() { stop(); }

std::vector<Status> GpuWatch::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
  return std::move(impl_->readings);
}

}  // namespace trireme
