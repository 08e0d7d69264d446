// Exchange and ring together on the strict transport, with the fake model: over many schedules every unit comes back
// once, with the bits of the whole model.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>

#include "common/errors.h"
#include "worker/engine/pipeline.h"
#include "worker/exchange/exchange.h"
#include "worker/models/fake/fake_model.h"
#include "worker/models/list.h"
#include "worker/transport/strict_transport.h"

namespace trireme {
namespace {

using Random = std::mt19937_64;

constexpr int kHalves = 8;  // half layers of the fake model

struct Script {
  int stages = 2, replicas = 1;
  std::vector<int> cuts;
  std::vector<Unit> units;
  std::size_t depth = 4;  // units that a replica holds
  std::optional<int> micro_batches;
  int drain_after = 0;   // deliveries; 0: never
  bool tensors = false;  // the last stage finishes all
  bool places = true;    // the engine gives the exchange's transfers theirs
};

int below(Random& random, int limit) { return static_cast<int>(random() % static_cast<std::uint64_t>(limit)); }

Unit make_unit(std::uint64_t index, Random& random) {
  Item item;
  item.id = "item" + std::to_string(index);
  item.index = index;
  item.prompt = std::string(static_cast<std::size_t>(below(random, 30)), 'p');
  if (below(random, 8) == 0) item.prompt += " fail";
  if (below(random, 8) == 0) item.prompt += " fail_layer=" + std::to_string(below(random, 4));
  item.seed = random();
  item.width = 4 + below(random, 9);
  item.height = 4 + below(random, 9);
  item.steps = 1 + below(random, 4);
  item.guidance = below(random, 2) == 0 ? 0 : 2.5;
  if (below(random, 16) == 0) item.error = "can't be made";
  return {index, {item}, 1};
}

Script random_script(std::uint64_t seed, int stages, int replicas) {
  Random random(seed);
  Script script{stages, replicas, {0}, {}, 1, {}, 0};
  for (int stage = 1; stage < stages; ++stage) {
    const int least = script.cuts.back() + 1, most = kHalves - (stages - stage);
    script.cuts.push_back(least + below(random, most - least + 1));
  }
  script.cuts.push_back(kHalves);
  const int units = below(random, 4) == 0 ? below(random, 3) : below(random, 4 * stages * replicas);
  for (int i = 0; i < units; ++i) script.units.push_back(make_unit(static_cast<std::uint64_t>(i), random));
  script.depth = 1 + static_cast<std::size_t>(below(random, stages + 3));
  if (below(random, 2) == 0) script.micro_batches = 1 + below(random, stages + 2);
  if (below(random, 5) == 0) script.drain_after = 1 + below(random, 5);
  script.tensors = below(random, 2) == 0;
  return script;
}

/// What the whole model makes of a unit.
Result expected(const Unit& unit, bool tensors) {
  Job job;
  job.output.tensors = tensors;
  const auto model = make_fake_model({job, at::kCPU, at::kFloat});
  Result result;
  result.id = unit.items[0].id;
  if (!unit.items[0].error.empty()) {
    result.error = unit.items[0].error;
    return result;
  }
  Slices slices;
  std::vector<Result> results;
  const auto run = [&slices] {
    for (const Slice& slice : slices) slice.run();
    slices.clear();
  };
  try {
    const auto session = model->begin(unit, slices);
    run();
    while (!session->done()) {
      for (int half = 0; half < session->halves; ++half) {
        model->enter(*session, half, slices);
        model->layers(*session, half, model->own_layers(), slices);
        model->leave(*session, half, slices);
      }
      model->advance(*session, slices);
      run();
    }
    model->finish(*session, slices, results);
    run();
  } catch (const ItemError& error) {
    result.error = error.what();
    return result;
  }
  return results.at(0);
}

void require(bool holds, const std::string& what) {
  if (!holds) throw Error(ExitCode::internal, "ring test: " + what);
}

void require_equal(const Result& result, const Result& wanted) {
  require(result.id == wanted.id, "a result is of another item");
  require(result.error == wanted.error, result.id + ": '" + result.error + "', not '" + wanted.error + "'");
  require(result.picture.defined() == wanted.picture.defined(), result.id + ": a picture that should not be, or none");
  if (!wanted.picture.defined()) return;
  require(at::equal(result.picture, wanted.picture), result.id + ": the picture differs");
  require(result.tensors.size() == wanted.tensors.size(), result.id + ": tensors are missing");
  for (const auto& [name, tensor] : wanted.tensors) {
    require(at::equal(result.tensors.at(name), tensor), result.id + ": " + name + " differs");
  }
}

struct Counts {
  int delivered = 0, failed = 0, left_over = 0;
  std::array<int, 4> finished{};  // by each stage
};

/// Rank 0: hands out units as replicas have room, checks what comes back, ends the job.
class Coordinator {
 public:
  Coordinator(const Script& script, Counts& counts)
      : script_(script), counts_(counts), in_hand_(static_cast<std::size_t>(script.replicas), 0) {}

  std::vector<std::vector<Unit>> first_shares() {
    std::vector<std::vector<Unit>> shares(in_hand_.size());
    for (std::size_t round = 0; round < script_.depth; ++round) {
      for (std::size_t replica = 0; replica < shares.size(); ++replica) {
        if (next_ < script_.units.size()) shares[replica].push_back(hand_out(replica));
      }
    }
    return shares;
  }

  void progress(Exchange& exchange) {
    while (auto delivery = exchange.take_delivery()) {
      require(delivery->results.size() == 1, "not one result");
      require_equal(delivery->results[0], expected(script_.units[delivery->unit], script_.tensors));
      --in_hand_[static_cast<std::size_t>(delivery->from)];
      ++counts_.delivered;
      ++delivered_;
      counts_.failed += !delivery->results[0].error.empty();
    }
    while (auto returned = exchange.take_returned()) {
      in_hand_[static_cast<std::size_t>(returned->from)] -= returned->units.size();
      left_over_ += static_cast<int>(returned->units.size());
    }
    if (script_.drain_after > 0 && delivered_ >= script_.drain_after && !draining_) drain(exchange);
    for (std::size_t replica = 0; replica < in_hand_.size() && !draining_; ++replica) {
      while (next_ < script_.units.size() && in_hand_[replica] < script_.depth) {
        exchange.refill(static_cast<int>(replica), hand_out(replica));
      }
    }
    const bool home = std::all_of(in_hand_.begin(), in_hand_.end(), [](std::size_t units) { return units == 0; });
    if (ended_ || !home || next_ < script_.units.size()) return;
    ended_ = true;
    require(delivered_ + left_over_ == static_cast<int>(script_.units.size()), "units are lost");
    counts_.left_over += left_over_;
    exchange.finish(ExitCode::ok);
  }

 private:
  Unit hand_out(std::size_t replica) {
    ++in_hand_[replica];
    return script_.units[next_++];
  }
  void drain(Exchange& exchange) {
    draining_ = true;
    left_over_ += static_cast<int>(script_.units.size() - next_);
    next_ = script_.units.size();
    for (int replica = 0; replica < script_.replicas; ++replica) exchange.recall(replica);
  }

  const Script& script_;
  Counts& counts_;
  std::vector<std::size_t> in_hand_;
  std::size_t next_ = 0;
  int delivered_ = 0, left_over_ = 0;
  bool draining_ = false, ended_ = false;
};

void run_rank(Transport& transport, Transport& replica, const Script& script, Counts& counts) {
  Job job;
  job.output.tensors = script.tensors;
  const Stage stage{replica.rank(), replica.size(), script.cuts};
  const auto model = make_fake_model({job, at::kCPU, at::kFloat, stage});
  Exchange exchange(transport, {.pool_bytes = 1 << 16,
                                .clock = {},
                                .layout = {transport.size(), script.stages},
                                .replica = &replica,
                                .ring = script.places});
  PipelineEngine engine(*model, replica, {.exchange = &exchange, .micro_batches = script.micro_batches});
  std::optional<Coordinator> coordinator;
  if (transport.rank() == 0) coordinator.emplace(script, counts);
  exchange.scatter_first(coordinator ? coordinator->first_shares() : std::vector<std::vector<Unit>>{});
  while (!exchange.finished()) {
    exchange.progress();
    while (auto unit = exchange.next_unit()) engine.submit(std::move(*unit));
    if (exchange.recall_wanted()) exchange.return_units(engine.recall());
    engine.progress();
    while (auto finished = engine.take()) {
      ++counts.finished[static_cast<std::size_t>(replica.rank())];
      exchange.offer(std::move(*finished));
    }
    if (coordinator) coordinator->progress(exchange);
  }
  engine.stop();
  while (!engine.stopped()) {
    transport.progress();
    engine.progress();
  }
  require(engine.idle(), "the engine is not idle at the end");
}

class Ring : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Stages, Ring, testing::Values(2, 3, 4));

TEST_P(Ring, GivesTheBitsOfTheWholeModelOverAThousandSchedules) {
  const int stages = GetParam();
  Counts counts;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const int replicas = 1 + static_cast<int>(seed % 2);
    const Script script = random_script(seed, stages, replicas);
    const strict::Settings settings{.ranks = stages * replicas,
                                    .ranks_per_replica = stages,
                                    .seed = seed,
                                    .longest_delay = seed % 8 >= 5 ? 100 : 30,
                                    .hosts_stand_still = seed % 4 >= 2};
    ASSERT_NO_THROW(strict::run(
        settings, [&](Transport& transport, Transport& replica) { run_rank(transport, replica, script, counts); }))
        << "seed " << seed;
  }
  EXPECT_GT(counts.delivered, 3000);
  EXPECT_GT(counts.failed, 300);
  EXPECT_GT(counts.left_over, 30);
  for (int stage = 0; stage < stages; ++stage) EXPECT_GT(counts.finished[static_cast<std::size_t>(stage)], 300);
}

/// A host that has posted its half of a result stands still behind it, rank 0 behind a beat that needs that host.
TEST(RingWithoutPlaces, WouldStallIfResultsHadNoPlaceAmongTheBeats) {
  std::string found;
  for (std::uint64_t seed = 0; seed < 100 && found.empty(); ++seed) {
    Script script = random_script(seed, 2, 1);
    script.places = false;
    Counts counts;
    try {
      strict::run({.ranks = 2, .seed = seed, .patience = 500, .hosts_stand_still = true},
                  [&](Transport& transport, Transport& replica) { run_rank(transport, replica, script, counts); });
    } catch (const Error& error) {
      found = error.what();
    }
  }
  EXPECT_NE(found.find("stall"), std::string::npos) << found;
  EXPECT_NE(found.find("rank 0 stands still behind its group"), std::string::npos) << found;
  EXPECT_NE(found.find("rank 1 stands still behind its group"), std::string::npos) << found;
}

}  // namespace
}  // namespace trireme
