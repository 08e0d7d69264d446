#include "worker/graphs.h"

#include <ATen/ATen.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "common/steady_clock.h"
#include "worker/device.h"

namespace trireme {
namespace {

constexpr std::size_t kMostKeys = 1000;  // asked for; more are forgotten

std::size_t reserved_bytes(at::Device device) {
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(device.index());
  return static_cast<std::size_t>(
      stats.reserved_bytes[static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE)].current);
}

}  // namespace

/// Memory that the graphs share: they run one behind the other, and what a replay made is copied before the next.
struct Graphs::Pool {
  c10::MempoolId_t id{0, 0};
  std::size_t bytes = 0;
};

struct Graphs::Graph {
  at::cuda::CUDAGraph graph;
  std::vector<at::Tensor> inputs;
  at::Tensor output;
  device::Event retired;
};

Graphs::Graphs(at::Device device, bool on, std::size_t most)
    : most_(most), device_(device), on_(on && device.is_cuda()), pool_(std::make_unique<Pool>()) {}
Graphs::~Graphs() = default;
Graphs::Graphs(Graphs&&) noexcept = default;

bool Graphs::wants(const std::string& key) {
  if (!on_) return false;
  if (asked_.size() > kMostKeys) asked_.clear();
  return ++asked_[key] > 1;
}

std::size_t Graphs::bytes() const { return pool_->bytes; }

std::unique_ptr<Graphs::Graph> Graphs::capture(const std::vector<at::Tensor>& inputs, const Body& body) {
  auto graph = std::make_unique<Graph>();
  for (const at::Tensor& input : inputs) graph->inputs.push_back(input.clone());
  if (pool_->id == c10::MempoolId_t{0, 0}) pool_->id = at::cuda::graph_pool_handle();
  const std::size_t before = reserved_bytes(device_);
  // Other threads and other streams go on meanwhile.
  graph->graph.capture_begin(pool_->id, cudaStreamCaptureModeThreadLocal);
  try {
    graph->output = body(graph->inputs);
    graph->graph.capture_end();
  } catch (...) {
    try {
      graph->graph.capture_end();
    } catch (const c10::Error&) {
      c10::cuda::CUDACachingAllocator::endAllocateToPool(device_.index(), pool_->id);
    }
    throw;
  }
  pool_->bytes += reserved_bytes(device_) - before;
  return graph;
}

at::Tensor Graphs::run(const std::string& key, const std::vector<at::Tensor>& inputs, const Body& body) {
  const auto found = std::find_if(graphs_.begin(), graphs_.end(), [&](const auto& one) { return one.first == key; });
  if (found != graphs_.end()) {
    graphs_.splice(graphs_.begin(), graphs_, found);
    Graph& graph = *found->second;
    for (std::size_t i = 0; i < inputs.size(); ++i) graph.inputs[i].copy_(inputs[i]);
    graph.graph.replay();
    return graph.output.clone();
  }
  // Run before it is captured: handles and kernels that are made on first use can't be made while capturing.
  at::Tensor made = body(inputs);
  if (!on_) return made;
  try {
    const double start = steady_seconds();
    graphs_.emplace_front(key, capture(inputs, body));
    keep_most();
    log::info("CUDA graph captured",
              {{"of", key}, {"milliseconds", 1e3 * (steady_seconds() - start)}, {"pool_bytes", pool_->bytes}});
  } catch (const c10::Error& e) {
    on_ = false;
    log::warning("CUDA graphs are off from here on: capturing failed",
                 {{"of", key}, {"because", e.what_without_backtrace()}});
  }
  return made;
}

void Graphs::keep_most() {
  while (!retired_.empty() && retired_.front()->retired.done()) retired_.pop_front();
  while (graphs_.size() > most_) {
    retired_.push_back(std::move(graphs_.back().second));
    retired_.back()->retired.record(device_);
    graphs_.pop_back();
  }
}

}  // namespace trireme
