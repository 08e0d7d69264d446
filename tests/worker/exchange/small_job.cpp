#include "tests/worker/exchange/small_job.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <random>
#include <set>
#include <utility>

#include "tests/worker/exchange/payload.h"
#include "worker/device.h"
#include "worker/exchange/codec.h"

namespace trireme::small_job {
namespace {

using Random = std::mt19937_64;

std::uint64_t below(Random& random, std::uint64_t limit) { return limit == 0 ? 0 : random() % limit; }
bool once_in(Random& random, int passes) {
  return passes > 0 && below(random, static_cast<std::uint64_t>(passes)) == 0;
}

void require(bool holds, const std::string& what) {
  if (!holds) throw Error(ExitCode::internal, "small job: " + what);
}

/// One unit at a time: on a CPU it takes some passes, on a GPU some work.
class Engine {
 public:
  Engine(const Script& script, at::Device device, Random& random) : script_(script), device_(device), random_(random) {
    if (device.is_cuda()) matrix_ = at::ones({2048, 2048}, at::TensorOptions(at::kBFloat16).device(device));
  }

  void submit(Unit unit) { waiting_.push_back(std::move(unit)); }
  std::vector<Unit> recall() {
    std::vector<Unit> units(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(waiting_.end()));
    waiting_.clear();
    return units;
  }
  std::optional<Unit> take_waiting() {
    if (waiting_.empty()) return std::nullopt;
    Unit unit = std::move(waiting_.front());
    waiting_.pop_front();
    return unit;
  }
  std::optional<Finished> progress() {
    if (!begun_ && !waiting_.empty()) begin();
    if (!begun_ || passes_left_-- > 0 || !done_.done()) return std::nullopt;
    Finished finished{std::move(begun_->unit), std::move(begun_->results), {1, 2, 3}};
    begun_.reset();
    return finished;
  }

 private:
  void begin() {
    Unit unit = std::move(waiting_.front());
    waiting_.pop_front();
    for (int i = 0; device_.is_cuda() && i < script_.matrix_products; ++i) at::mm(matrix_, matrix_);
    std::vector<Result> results = make_results(script_, unit, device_);
    begun_ = Finished{std::move(unit), std::move(results), {}};
    done_.record(device_);
    passes_left_ = static_cast<int>(below(random_, static_cast<std::uint64_t>(script_.longest_compute) + 1));
  }

  const Script& script_;
  at::Device device_;
  Random& random_;
  at::Tensor matrix_;
  std::deque<Unit> waiting_;
  std::optional<Finished> begun_;
  device::Event done_;
  int passes_left_ = 0;
};

/// Rank 0: hands out units, takes results, asks for units back, and ends the job.
class Coordinator {
 public:
  Coordinator(const Script& script, int replicas, Random& random)
      : script_(script), random_(random), in_hand_(static_cast<std::size_t>(replicas)), recalled_(in_hand_.size()) {
    for (int i = 0; i < script.units; ++i) pending_.push_back(static_cast<std::uint64_t>(i));
  }

  std::vector<std::vector<Unit>> first_shares() {
    std::vector<std::vector<Unit>> shares(in_hand_.size());
    const std::size_t depth = script_.everything_first ? pending_.size() : static_cast<std::size_t>(script_.depth);
    for (std::size_t i = 0; i < depth * shares.size() && !pending_.empty(); ++i) {
      shares[i % shares.size()].push_back(hand_out(i % shares.size()));
    }
    return shares;
  }

  void progress(Exchange& exchange) {
    take_results(exchange);
    take_back(exchange);
    if (exchange.drain_asked() && !ended_) drain(exchange);
    if (!draining_) refill(exchange);
    if (!draining_ && !ended_ && once_in(random_, script_.recalls)) recall(exchange, below(random_, in_hand_.size()));
    ++pass_;
    if (!ended_ && at_the_end()) {
      ended_ = true;
      exchange.finish(report_.failed > 0 ? ExitCode::some_items_failed : ExitCode::ok);
    }
  }

  Report report() {
    report_.left_over = static_cast<int>(pending_.size());
    require(report_.delivered + report_.left_over == script_.units, "units are lost");
    require(draining_ || pending_.empty(), "units were not handed out");
    return report_;
  }

 private:
  struct Writing {
    Delivery delivery;
    std::uint64_t until;
  };

  Unit hand_out(std::size_t to) {
    const std::uint64_t index = pending_.front();
    pending_.pop_front();
    in_hand_[to].insert(index);
    return make_unit(script_, index);
  }

  void take_results(Exchange& exchange) {
    while (auto delivery = exchange.take_delivery()) {
      const auto from = static_cast<std::size_t>(delivery->from);
      require(in_hand_[from].erase(delivery->unit) == 1, "a unit came from a rank that does not have it");
      require(delivered_.insert(delivery->unit).second, "a unit was delivered twice");
      check(*delivery);
      ++report_.delivered;
      const std::uint64_t held = below(random_, static_cast<std::uint64_t>(script_.slow_writers) + 1);
      writing_.push_back({std::move(*delivery), pass_ + held});
    }
    std::erase_if(writing_, [this](const Writing& writing) { return writing.until <= pass_; });
  }

  void check(const Delivery& delivery) {
    const std::vector<Result> expected = make_results(script_, make_unit(script_, delivery.unit), at::kCPU);
    require(delivery.results.size() == expected.size(), "results are missing");
    for (std::size_t i = 0; i < expected.size(); ++i) {
      require(equal(delivery.results[i], expected[i]), "results of unit " + std::to_string(delivery.unit) + " differ");
      report_.failed += !expected[i].error.empty();
    }
    require(delivery.seconds == PhaseSeconds{1, 2, 3}, "the seconds differ");
  }

  void take_back(Exchange& exchange) {
    while (auto returned = exchange.take_returned()) {
      const auto from = static_cast<std::size_t>(returned->from);
      require(recalled_[from], "units came back unasked");
      recalled_[from] = false;
      for (const Unit& unit : returned->units) {
        require(equal(unit, make_unit(script_, unit.index)), "a returned unit differs");
        require(in_hand_[from].erase(unit.index) == 1, "a unit came back from a rank that does not have it");
        pending_.push_front(unit.index);
        ++report_.returned;
      }
    }
  }

  void drain(Exchange& exchange) {
    if (std::exchange(draining_, true)) return;
    for (std::size_t rank = 0; rank < in_hand_.size(); ++rank) recall(exchange, rank);
  }

  void recall(Exchange& exchange, std::size_t rank) {
    if (recalled_[rank]) return;
    recalled_[rank] = true;
    exchange.recall(static_cast<int>(rank));
  }

  void refill(Exchange& exchange) {
    const std::size_t first = below(random_, in_hand_.size());
    for (std::size_t i = 0; i < in_hand_.size(); ++i) {
      const std::size_t rank = (first + i) % in_hand_.size();
      while (!pending_.empty() && in_hand_[rank].size() < static_cast<std::size_t>(script_.depth)) {
        exchange.refill(static_cast<int>(rank), hand_out(rank));
      }
    }
  }

  /// Answers to recalls may still be on their way: with every unit home they are empty.
  bool at_the_end() const {
    return (draining_ || pending_.empty()) && writing_.empty() &&
           std::all_of(in_hand_.begin(), in_hand_.end(), [](const auto& units) { return units.empty(); });
  }

  const Script& script_;
  Random& random_;
  std::deque<std::uint64_t> pending_;
  std::vector<std::set<std::uint64_t>> in_hand_;
  std::vector<bool> recalled_;
  std::set<std::uint64_t> delivered_;
  std::vector<Writing> writing_;
  std::uint64_t pass_ = 0;
  bool draining_ = false, ended_ = false;
  Report report_;
};

/// First rank: a unit leaves for the last one now and then. Last rank: units arrive.
bool pass_on(Transport& replica, Engine& engine, Random& random) {
  replica.progress();
  if (replica.rank() == 0 && once_in(random, 10)) {
    if (auto unit = engine.take_waiting()) {
      replica.send(replica.size() - 1, codec::encode_units({&*unit, 1}));
      return true;
    }
  }
  const auto arrived = replica.receive();
  if (arrived) engine.submit(codec::decode_units(arrived->body).at(0));
  return arrived.has_value();
}

}  // namespace

Script random_script(std::uint64_t seed, int ranks) {
  Random random(seed);
  Script script;
  script.seed = seed;
  switch (below(random, 4)) {
    case 0: script.units = static_cast<int>(below(random, 2)); break;
    case 1:
      script.units = static_cast<int>(below(random, static_cast<std::uint64_t>(ranks)));
      break;  // fewer than ranks
    default: script.units = static_cast<int>(below(random, 6 * static_cast<std::uint64_t>(ranks)));
  }
  script.depth = 1 + static_cast<int>(below(random, 3));
  script.everything_first = below(random, 5) == 0;
  script.largest_side = 1 + static_cast<int>(below(random, 30));
  script.longest_prompt = 1 + static_cast<int>(below(random, 3000));
  script.longest_compute = static_cast<int>(below(random, 60));
  script.slow_writers = below(random, 2) ? static_cast<int>(below(random, 100)) : 0;
  script.recalls = below(random, 2) ? 20 + static_cast<int>(below(random, 60)) : 0;
  script.drain_after = below(random, 5) == 0 ? 1 + static_cast<int>(below(random, 300)) : 0;
  script.pool_bytes = below(random, 3) == 0 ? 1 : below(random, 10000);  // often room for one result only
  return script;
}

Report run(Ground ground, const Script& script, at::Device compute, void (*nap)()) {
  using Clock = std::chrono::steady_clock;
  Transport& transport = ground.transport;
  const Layout layout{transport.size(), ground.replica ? ground.replica->size() : 1};
  Random random(script.seed * 64 + static_cast<std::uint64_t>(transport.rank()));
  Exchange exchange(transport, {.pool_bytes = script.pool_bytes, .clock = {}, .layout = layout});
  std::optional<Coordinator> coordinator;
  if (transport.rank() == 0) coordinator.emplace(script, layout.replicas(), random);
  Engine engine(script, compute, random);
  exchange.scatter_first(coordinator ? coordinator->first_shares() : std::vector<std::vector<Unit>>{});

  const int draining_rank = static_cast<int>(script.seed % static_cast<std::uint64_t>(transport.size()));
  std::uint64_t passes = 0;
  double longest_pass = 0;
  while (!exchange.finished()) {
    const auto begun = Clock::now();
    bool worked = exchange.progress();
    while (auto unit = exchange.next_unit()) {
      require(equal(*unit, make_unit(script, unit->index)), "a unit differs from what was sent");
      engine.submit(std::move(*unit));
    }
    if (exchange.recall_wanted()) exchange.return_units(engine.recall());
    if (ground.replica) worked |= pass_on(*ground.replica, engine, random);
    const bool computes = !ground.replica || ground.replica->rank() == ground.replica->size() - 1;
    if (auto finished = computes ? engine.progress() : std::nullopt) {
      exchange.offer(std::move(*finished));
      worked = true;
    }
    ++passes;
    if (passes == static_cast<std::uint64_t>(script.drain_after) && transport.rank() == draining_rank) {
      exchange.ask_to_drain();
    }
    if (once_in(random, 50)) exchange.send_pulse();
    if (coordinator) coordinator->progress(exchange);
    longest_pass = std::max(longest_pass, std::chrono::duration<double>(Clock::now() - begun).count());
    if (!worked) nap();
  }
  require(!exchange.outstanding(), "something is outstanding at the end");
  Report report = coordinator ? coordinator->report() : Report{};
  require(!coordinator || exchange.exit_code() == (report.failed ? ExitCode::some_items_failed : ExitCode::ok),
          "the exit code differs");
  report.passes = passes;
  report.longest_pass_seconds = longest_pass;
  return report;
}

}  // namespace trireme::small_job
