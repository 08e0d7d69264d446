#pragma once
// What rank 0 does in tests of engines that share a job with the exchange: units of the fake model, handed out as
// replicas have room, and results compared with those of the whole model.

#include <array>
#include <cstdint>
#include <functional>
#include <random>
#include <vector>

#include "common/item.h"
#include "worker/exchange/exchange.h"
#include "worker/transport/strict_transport.h"

namespace trireme {

using Random = std::mt19937_64;
int below(Random& random, int limit);

struct Script {
  int replicas = 1;
  std::vector<Unit> units;
  std::size_t depth = 4;  // units that a replica holds
  int drain_after = 0;    // deliveries; 0: never
  bool tensors = false;   // the latents, too
};

/// A picture with or without guidance; some fail.
Unit random_unit(std::uint64_t index, Random& random);

struct Counts {
  int delivered = 0, failed = 0, left_over = 0;
  std::array<int, 4> finished{};  // by each place in its replica
};

/// Throws Error(internal) where a result is not the whole model's.
class ScriptedCoordinator {
 public:
  ScriptedCoordinator(const Script& script, Counts& counts)
      : script_(script), counts_(counts), in_hand_(static_cast<std::size_t>(script.replicas), 0) {}

  std::vector<std::vector<Unit>> first_shares();
  void progress(Exchange& exchange);

 private:
  Unit hand_out(std::size_t replica);
  void drain(Exchange& exchange);

  const Script& script_;
  Counts& counts_;
  std::vector<std::size_t> in_hand_;
  std::size_t next_ = 0;
  int delivered_ = 0, left_over_ = 0;
  bool draining_ = false, ended_ = false;
};

/// A rank's loop, as the worker's: until the exchange has finished and the engine has stopped.
void run_script(Transport& transport, int place, Exchange& exchange, Engine& engine, const Script& script,
                Counts& counts);

/// One of many schedules for a job on the strict transport: delays are long in three of eight, hosts stand still in
/// half.
strict::Settings schedule(std::uint64_t seed, int replicas, int ranks_per_replica);

/// Expects that on one of so many schedules two ranks stall, each host standing still behind its group.
void expect_stall(std::uint64_t schedules,
                  const std::function<void(std::uint64_t seed, Transport& all, Transport& replica)>& run_rank);

}  // namespace trireme
