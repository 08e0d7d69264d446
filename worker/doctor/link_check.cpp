#include "worker/doctor/link_check.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "common/errors.h"
#include "common/steady_clock.h"

namespace trireme::doctor {
namespace {

constexpr int kRounds = 3;

at::Tensor buffer(const Transport& transport, std::size_t bytes, int value) {
  return at::full({static_cast<std::int64_t>(bytes)}, value, at::TensorOptions(at::kByte).device(transport.device()));
}

void wait(Transport& transport, TransferId id) {
  while (!transport.done(id)) {
    transport.progress();
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

void run(Transport& transport, std::vector<Half> group) {
  if (!group.empty()) wait(transport, transport.start(std::move(group)));
}

/// Seconds of the fastest round, in which every rank runs its halves.
double fastest(Transport& transport, const std::function<std::vector<Half>()>& halves) {
  double best = 1e9;
  for (int round = 0; round <= kRounds; ++round) {  // the first connects
    transport.barrier();
    const double start = steady_seconds();
    run(transport, halves());
    if (round > 0) best = std::min(best, steady_seconds() - start);
  }
  return best;
}

}  // namespace

void exchange_one_element(Transport& transport) {
  const int rank = transport.rank();
  for (int peer = 1; peer < transport.size(); ++peer) {
    const int value = 1 + peer % 200;
    if (rank != 0 && rank != peer) continue;
    const int other = rank == 0 ? peer : 0;
    const at::Tensor out = buffer(transport, 1, rank == 0 ? value : 0), back = buffer(transport, 1, 0);
    if (rank == 0) {
      run(transport, {{other, Direction::send, out}});
      run(transport, {{other, Direction::receive, back}});
      if (back.item<int>() != value) {
        throw Error(ExitCode::unavailable,
                    "an element that went to rank " + std::to_string(peer) + " and back was changed on the way");
      }
    } else {
      run(transport, {{other, Direction::receive, back}});
      run(transport, {{other, Direction::send, back}});
    }
  }
  transport.barrier();
}

LinkReport measure_links(Transport& transport, std::size_t bytes, const std::function<void()>& on_progress) {
  LinkReport report;
  report.bytes = bytes;
  const int rank = transport.rank(), size = transport.size();
  const at::Tensor out = buffer(transport, bytes, 1), in = buffer(transport, bytes, 0);
  const auto speed = [&](double seconds) { return static_cast<double>(bytes) / seconds; };
  const auto one_way = [&](int from, int to) {
    return fastest(transport, [&]() -> std::vector<Half> {
      if (rank == from) return {{to, Direction::send, out}};
      if (rank == to) return {{from, Direction::receive, in}};
      return {};
    });
  };
  for (int peer = 1; peer < size; ++peer) {
    // The receiver knows when the last byte has come; on rank 0 a send is done when it has left.
    const double there = one_way(0, peer), back = one_way(peer, 0);
    const std::vector<Bytes> seconds = transport.gather(to_bytes(std::to_string(there)), 0);
    if (rank == 0) {
      const double arrived = std::max(there, std::stod(std::string(as_text(seconds[peer]))));
      report.links.push_back({peer, speed(back), speed(arrived)});
    }
    on_progress();
  }
  if (size > 1) {
    const double mine = fastest(transport, [&]() -> std::vector<Half> {
      return {{(rank + 1) % size, Direction::send, out}, {(rank + size - 1) % size, Direction::receive, in}};
    });
    double slowest = 0;
    for (const Bytes& seconds : transport.gather(to_bytes(std::to_string(mine)), 0)) {
      if (!seconds.empty()) slowest = std::max(slowest, std::stod(std::string(as_text(seconds))));
    }
    if (rank == 0) report.ring = speed(slowest);
    on_progress();
  }
  return report;
}

}  // namespace trireme::doctor
