// What the exchange costs a replica: mpirun -n N exchange_bench --transport mpi|nccl|self [--units N] [--compute-ms MS]
// Units take a fixed time (a timer on CPUs, matrix products on GPUs) and yield a picture each. The table shows how long
// a replica has nothing to do between two units, with one unit in hand and with two.

#include <ATen/ATen.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <deque>
#include <optional>

#include "common/steady_clock.h"
#include "tests/worker/exchange/on_ranks.h"
#include "worker/device.h"
#include "worker/exchange/exchange.h"

namespace trireme {
namespace {

struct Options {
  int units = 20;  // a replica
  double compute_seconds = 0.5;
  int side = 1024;  // pixels
};

/// Work of a fixed length on the device, and pictures. On a GPU a unit is enqueued behind the one that runs, as the
/// real engine does.
class TimedEngine {
 public:
  TimedEngine(const Options& options, at::Device device) : options_(options), device_(device) {
    picture_ = at::zeros({options.side, options.side, 3}, at::TensorOptions(at::kByte).device(device));
    if (device.is_cuda()) calibrate();
  }

  void submit(Unit unit) { waiting_.push_back(std::move(unit)); }

  std::optional<Finished> progress() {
    if (!waiting_.empty() && running_.size() < (device_.is_cuda() ? 2u : 1u)) begin();
    if (running_.empty() || !over(running_.front())) return std::nullopt;
    Running done = std::move(running_.front());
    running_.pop_front();
    last_.emplace(std::move(done.span));
    Finished finished{std::move(done.unit), {}, {}};
    finished.results.push_back({finished.unit.items[0].id, "", std::move(done.picture), {}});
    return finished;
  }

  const std::vector<double>& gaps() const { return gaps_; }

 private:
  struct Span {
    device::Event begun, ended;  // on a GPU
    double begin = 0, end = 0;   // on a CPU
  };
  struct Running {
    Unit unit;
    at::Tensor picture;
    Span span;
  };

  void calibrate() {
    matrix_ = at::ones({8192, 8192}, at::TensorOptions(at::kBFloat16).device(device_));
    device::Event begun, ended;
    for (int i = 0; i < 3; ++i) at::mm(matrix_, matrix_);
    begun.record(device_);
    for (int i = 0; i < 20; ++i) at::mm(matrix_, matrix_);
    ended.record(device_);
    device::synchronize(device_);
    products_ = std::max(1, static_cast<int>(options_.compute_seconds / (ended.seconds_since(begun) / 20)));
  }

  void begin() {
    Running next;
    next.unit = std::move(waiting_.front());
    waiting_.pop_front();
    next.span.begun.record(device_);
    for (int i = 0; i < products_; ++i) at::mm(matrix_, matrix_);
    next.picture = picture_.clone();
    next.span.ended.record(device_);
    next.span.begin = steady_seconds();
    next.span.end = next.span.begin + options_.compute_seconds;
    running_.push_back(std::move(next));
  }

  bool over(Running& unit) {
    if (device_.is_cpu() ? steady_seconds() < unit.span.end : !unit.span.ended.done()) return false;
    if (last_) {
      gaps_.push_back(device_.is_cpu() ? unit.span.begin - last_->end : unit.span.begun.seconds_since(last_->ended));
    }
    return true;
  }

  const Options options_;
  at::Device device_;
  at::Tensor picture_, matrix_;
  int products_ = 0;
  std::deque<Unit> waiting_;
  std::deque<Running> running_;
  std::optional<Span> last_;
  std::vector<double> gaps_;
};

/// What a replica saw, as it travels to rank 0. Seconds; `gaps` counts them.
struct Figures {
  double gap_sum = 0, gap_max = 0, gaps = 0, longest_pass = 0;
};

/// Rank 0: of all replicas.
Figures join_figures(Transport& transport, const Figures& mine) {
  Bytes body(sizeof mine);
  std::memcpy(body.data(), &mine, sizeof mine);
  Figures all;
  for (const Bytes& theirs : transport.gather(body, 0)) {
    Figures one;
    std::memcpy(&one, theirs.data(), sizeof one);
    all.gap_sum += one.gap_sum;
    all.gaps += one.gaps;
    all.gap_max = std::max(all.gap_max, one.gap_max);
    all.longest_pass = std::max(all.longest_pass, one.longest_pass);
  }
  return all;
}

struct Totals {
  double transfer_sum = 0;  // seconds
  int delivered = 0;
};

Unit unit_of(int index) {
  Item item;
  item.id = std::to_string(index);
  item.prompt.assign(300, 'a');
  return {static_cast<std::uint64_t>(index), {std::move(item)}, 1};
}

/// Gives every replica `options.units` units, `depth` in hand.
class Dealer {
 public:
  Dealer(const Options& options, int ranks, int depth)
      : depth_(depth), left_(static_cast<std::size_t>(ranks), options.units), all_(options.units * ranks) {}

  std::vector<std::vector<Unit>> first_shares() {
    std::vector<std::vector<Unit>> shares(left_.size());
    for (std::size_t rank = 0; rank < shares.size(); ++rank) {
      for (int i = 0; i < depth_ && left_[rank] > 0; ++i, --left_[rank]) shares[rank].push_back(unit_of(next_++));
    }
    return shares;
  }

  void progress(Exchange& exchange) {
    while (auto delivery = exchange.take_delivery()) {
      ++totals.delivered;
      totals.transfer_sum += delivery->transfer_seconds;
      if (left_[static_cast<std::size_t>(delivery->from)]-- > 0) exchange.refill(delivery->from, unit_of(next_++));
    }
    if (totals.delivered == all_ && !ended_) {
      ended_ = true;
      exchange.finish(ExitCode::ok);
    }
  }

  Totals totals;

 private:
  int depth_, next_ = 0;
  std::vector<int> left_;
  int all_;
  bool ended_ = false;
};

void measure(Transport& transport, at::Device device, const Options& options, int depth) {
  device::reserve_host_buffers(
      3u * static_cast<unsigned>(options.side) * static_cast<unsigned>(options.side) + (1u << 16), 8,
      transport.device());
  Exchange exchange(transport, {});
  TimedEngine engine(options, device);
  std::optional<Dealer> dealer;
  if (transport.rank() == 0) dealer.emplace(options, transport.size(), depth);
  exchange.scatter_first(dealer ? dealer->first_shares() : std::vector<std::vector<Unit>>{});

  Figures mine;
  while (!exchange.finished()) {
    const double start = steady_seconds();
    bool worked = exchange.progress();
    while (auto unit = exchange.next_unit()) engine.submit(std::move(*unit));
    if (auto finished = engine.progress()) {
      exchange.offer(std::move(*finished));
      worked = true;
    }
    if (dealer) dealer->progress(exchange);
    mine.longest_pass = std::max(mine.longest_pass, steady_seconds() - start);
    if (!worked) on_ranks::nap();
  }
  for (const double gap : engine.gaps()) {
    mine.gap_sum += gap;
    mine.gap_max = std::max(mine.gap_max, gap);
    ++mine.gaps;
  }
  const Figures all = join_figures(transport, mine);
  if (!dealer) return;
  const double gap = all.gap_sum / std::max(all.gaps, 1.0);
  std::printf("%-6s %5d %7d %6d %11.1f %11.3f %11.3f %8.3f %11.2f %12.2f\n", transport.carrier(), transport.size(),
              depth, dealer->totals.delivered, options.compute_seconds * 1e3, gap * 1e3, all.gap_max * 1e3,
              100 * gap / (gap + options.compute_seconds), all.longest_pass * 1e3,
              1e3 * dealer->totals.transfer_sum / std::max(dealer->totals.delivered, 1));
}

}  // namespace
}  // namespace trireme

int main(int argc, char** argv) {
  CLI::App app("what the exchange costs a replica");
  trireme::Options options;
  std::string transport = "mpi";
  double compute_ms = 500;
  app.add_option("--transport", transport, "self, mpi or nccl");
  app.add_option("--units", options.units, "units a replica")->check(CLI::PositiveNumber);
  app.add_option("--compute-ms", compute_ms, "work of a unit")->check(CLI::PositiveNumber);
  app.add_option("--side", options.side, "of the pictures, pixels")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  options.compute_seconds = compute_ms * 1e-3;
  return trireme::on_ranks::run(transport, [&](trireme::Transport& carrier, at::Device device) {
    if (carrier.rank() == 0) {
      std::printf("# results of %.2f MB; idle: between two units of a replica; transfer: from grant to host memory\n",
                  3e-6 * options.side * options.side);
      std::printf("%-6s %5s %7s %6s %11s %11s %11s %8s %11s %12s\n", "#", "ranks", "in_hand", "units", "compute_ms",
                  "idle_ms", "idle_max_ms", "idle_%", "max_pass_ms", "transfer_ms");
    }
    for (const int depth : {1, 2}) trireme::measure(carrier, device, options, depth);
  });
}
