#include "tests/worker/engine/exchange_script.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>

#include "common/errors.h"
#include "worker/models/fake/fake_model.h"
#include "worker/models/list.h"

namespace trireme {
namespace {

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
  if (!holds) throw Error(ExitCode::internal, "script: " + what);
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

}  // namespace

int below(Random& random, int limit) { return static_cast<int>(random() % static_cast<std::uint64_t>(limit)); }

Unit random_unit(std::uint64_t index, Random& random) {
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

std::vector<std::vector<Unit>> ScriptedCoordinator::first_shares() {
  std::vector<std::vector<Unit>> shares(in_hand_.size());
  for (std::size_t round = 0; round < script_.depth; ++round) {
    for (std::size_t replica = 0; replica < shares.size(); ++replica) {
      if (next_ < script_.units.size()) shares[replica].push_back(hand_out(replica));
    }
  }
  return shares;
}

void ScriptedCoordinator::progress(Exchange& exchange) {
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

Unit ScriptedCoordinator::hand_out(std::size_t replica) {
  ++in_hand_[replica];
  return script_.units[next_++];
}

void ScriptedCoordinator::drain(Exchange& exchange) {
  draining_ = true;
  left_over_ += static_cast<int>(script_.units.size() - next_);
  next_ = script_.units.size();
  for (int replica = 0; replica < script_.replicas; ++replica) exchange.recall(replica);
}

void run_script(Transport& transport, int place, Exchange& exchange, Engine& engine, const Script& script,
                Counts& counts) {
  std::optional<ScriptedCoordinator> coordinator;
  if (transport.rank() == 0) coordinator.emplace(script, counts);
  exchange.scatter_first(coordinator ? coordinator->first_shares() : std::vector<std::vector<Unit>>{});
  while (!exchange.finished()) {
    exchange.progress();
    while (auto unit = exchange.next_unit()) engine.submit(std::move(*unit));
    if (exchange.recall_wanted()) exchange.return_units(engine.recall());
    engine.progress();
    while (auto finished = engine.take()) {
      ++counts.finished[static_cast<std::size_t>(place)];
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

strict::Settings schedule(std::uint64_t seed, int replicas, int ranks_per_replica) {
  return {.ranks = ranks_per_replica * replicas,
          .ranks_per_replica = ranks_per_replica,
          .seed = seed,
          .longest_delay = seed % 8 >= 5 ? 100 : 30,
          .hosts_stand_still = seed % 4 >= 2};
}

void expect_stall(std::uint64_t schedules,
                  const std::function<void(std::uint64_t seed, Transport& all, Transport& replica)>& run_rank) {
  std::string found;
  for (std::uint64_t seed = 0; seed < schedules && found.empty(); ++seed) {
    try {
      strict::run({.ranks = 2, .seed = seed, .patience = 500, .hosts_stand_still = true},
                  [&](Transport& all, Transport& replica) { run_rank(seed, all, replica); });
    } catch (const Error& error) {
      found = error.what();
    }
  }
  EXPECT_NE(found.find("stall"), std::string::npos) << found;
  EXPECT_NE(found.find("rank 0 stands still behind its group"), std::string::npos) << found;
  EXPECT_NE(found.find("rank 1 stands still behind its group"), std::string::npos) << found;
}

}  // namespace trireme
