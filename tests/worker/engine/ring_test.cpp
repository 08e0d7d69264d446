// Exchange and ring together on the strict transport, with the fake model: over many schedules every unit comes back
// once, with the bits of the whole model.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <optional>

#include "tests/worker/engine/exchange_script.h"
#include "worker/engine/pipeline.h"
#include "worker/exchange/exchange.h"
#include "worker/models/fake/fake_model.h"
#include "worker/models/list.h"
#include "worker/transport/strict_transport.h"

namespace trireme {
namespace {

constexpr int kHalves = 8;  // half layers of the fake model

struct RingScript : Script {
  int stages = 2;
  std::vector<int> cuts = {0};
  std::optional<int> micro_batches;
  bool places = true;  // the engine gives the exchange's transfers theirs
};

RingScript random_script(std::uint64_t seed, int stages, int replicas) {
  Random random(seed);
  RingScript script;
  script.stages = stages;
  script.replicas = replicas;
  for (int stage = 1; stage < stages; ++stage) {
    const int least = script.cuts.back() + 1, most = kHalves - (stages - stage);
    script.cuts.push_back(least + below(random, most - least + 1));
  }
  script.cuts.push_back(kHalves);
  const int units = below(random, 4) == 0 ? below(random, 3) : below(random, 4 * stages * replicas);
  for (int i = 0; i < units; ++i) script.units.push_back(random_unit(static_cast<std::uint64_t>(i), random));
  script.depth = 1 + static_cast<std::size_t>(below(random, stages + 3));
  if (below(random, 2) == 0) script.micro_batches = 1 + below(random, stages + 2);
  if (below(random, 5) == 0) script.drain_after = 1 + below(random, 5);
  script.tensors = below(random, 2) == 0;
  return script;
}

void run_rank(Transport& transport, Transport& replica, const RingScript& script, Counts& counts) {
  Job job;
  job.output.tensors = script.tensors;
  const Stage stage{replica.rank(), replica.size(), script.cuts};
  const auto model = make_fake_model({job, at::kCPU, at::kFloat, stage});
  Exchange exchange(transport, {.pool_bytes = 1 << 16,
                                .clock = {},
                                .layout = {transport.size(), script.stages},
                                .replica = &replica,
                                .places = script.places});
  PipelineEngine engine(*model, replica, {.exchange = &exchange, .micro_batches = script.micro_batches});
  run_script(transport, replica.rank(), exchange, engine, script, counts);
}

class Ring : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Stages, Ring, testing::Values(2, 3, 4));

TEST_P(Ring, GivesTheBitsOfTheWholeModelOverAThousandSchedules) {
  const int stages = GetParam();
  Counts counts;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const int replicas = 1 + static_cast<int>(seed % 2);
    const RingScript script = random_script(seed, stages, replicas);
    ASSERT_NO_THROW(
        strict::run(schedule(seed, replicas, stages),
                    [&](Transport& transport, Transport& replica) { run_rank(transport, replica, script, counts); }))
        << "seed " << seed;
  }
  EXPECT_GT(counts.delivered, 3000);
  EXPECT_GT(counts.failed, 300);
  EXPECT_GT(counts.left_over, 30);
  for (int stage = 0; stage < stages; ++stage) EXPECT_GT(counts.finished[static_cast<std::size_t>(stage)], 300);
}

/// A host that has posted its half of a result stands still behind it, rank 0 behind a beat that needs that host.
TEST(RingWithoutPlaces, WouldStallIfResultsHadNoPlaceAmongTheBeats) {
  Counts counts;
  expect_stall(100, [&](std::uint64_t seed, Transport& all, Transport& replica) {
    RingScript script = random_script(seed, 2, 1);
    script.places = false;
    run_rank(all, replica, script, counts);
  });
}

}  // namespace
}  // namespace trireme
