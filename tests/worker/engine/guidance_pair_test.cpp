#include "worker/engine/guidance_pair.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "common/errors.h"
#include "tests/worker/engine/exchange_script.h"
#include "tests/worker/engine/fake_work.h"
#include "tests/worker/engine/forwarding_model.h"
#include "worker/engine/whole_model.h"
#include "worker/models/fake/fake_model.h"
#include "worker/models/list.h"
#include "worker/transport/self_transport.h"
#include "worker/transport/strict_transport.h"

namespace trireme {
namespace {

using testing::IsEmpty;

/// The fake model, whose guidance ends after a pass and whose slices may fail, with a note of what was run.
class Watched final : public ForwardingModel {
 public:
  struct Wishes {
    int guided_passes = 1000;
    std::map<std::uint64_t, int> failing;  // unit -> the pass in which its first layer fails here; -1: its encoding
  };
  explicit Watched(Wishes wishes) : ForwardingModel(fake_pictures()), wishes_(std::move(wishes)) {}

  std::unique_ptr<Session> begin(const Unit& unit, Slices& slices) override {
    for (std::size_t i = 0; i < unit.items.size(); ++i) {
      if (unit.items[i].prompt == "too long") throw ItemError("a caption is too long", i);
    }
    auto session = ForwardingModel::begin(unit, slices);
    for (const int half : {0, 1}) slices.push_back({Phase::encode, [this, half] { encoded.push_back(half); }, half});
    slices.push_back({Phase::encode, [this, index = unit.index] { fail_in(index, -1); }});
    return session;
  }
  void enter(Session& session, int half, Slices& slices) override {
    if (session.halves == 2) predicted.push_back(half);
    ForwardingModel::enter(session, half, slices);
  }
  void layers(Session& session, int half, Layers range, Slices& slices) override {
    slices.push_back({Phase::denoise, [this, &session] { fail_in(session.unit.index, session.pass); }});
    ForwardingModel::layers(session, half, range, slices);
  }
  void advance(Session& session, Slices& slices) override {
    ForwardingModel::advance(session, slices);
    slices.push_back({Phase::denoise, [this, &session] {
                        if (session.pass >= wishes_.guided_passes) session.halves = 1;
                      }});
  }
  void finish(Session& session, Slices& slices, std::vector<Result>& results) override {
    ++finished;
    ForwardingModel::finish(session, slices, results);
  }

  std::vector<int> encoded, predicted;  // halves; predicted: of passes that have two
  int finished = 0;

 private:
  void fail_in(std::uint64_t unit, int pass) const {
    const auto found = wishes_.failing.find(unit);
    if (found != wishes_.failing.end() && found->second == pass) throw ItemError("no room on this rank");
  }
  const Wishes wishes_;
};

/// Guided, not guided, and one that fails wherever it is begun.
std::vector<Unit> mixed_units() {
  return {picture_unit(0, "a fox", 3), picture_unit(1, "a cat", 0), picture_unit(2, "fail", 3),
          picture_unit(3, "a house", 2.5), picture_unit(4, "a tree", 0)};
}

std::vector<Finished> on_one_rank(const std::vector<Unit>& units, Watched::Wishes wishes) {
  Watched model(std::move(wishes));
  WholeModelEngine engine(model);
  for (const Unit& unit : units) engine.submit(unit);
  return run_out(engine);
}

struct Pair {
  std::vector<Finished> finished;
  std::vector<int> encoded[2], predicted[2];
  int decoded[2] = {};
};

/// Two ranks whose transfers meet as NCCL's do; messages and completions are late by random times.
Pair on_two_ranks(const std::vector<Unit>& units, const Watched::Wishes (&wishes)[2], std::uint64_t seed,
                  std::size_t slices_in_flight = 8) {
  Pair pair;
  bool idle[2] = {};
  strict::run({.ranks = 2, .seed = seed, .hosts_stand_still = seed % 2 == 1}, [&](Transport&, Transport& replica) {
    const int rank = replica.rank();
    Watched model(wishes[rank]);
    GuidancePairEngine engine(model, replica, {.slices_in_flight = slices_in_flight, .pass_budget = {}});
    if (rank == 0) {
      for (const Unit& unit : units) engine.submit(unit);
    }
    const auto all_done = [&] { return pair.finished.size() == units.size() && idle[0] && idle[1]; };
    while (!all_done()) {
      engine.progress();
      while (auto finished = engine.take()) {
        EXPECT_EQ(rank, 1);
        pair.finished.push_back(std::move(*finished));
      }
      idle[rank] = engine.idle();
    }
    // What is said of a unit that failed on both ranks at once may still be under way.
    for (int turn = 0; turn < 200; ++turn) engine.progress();
    pair.encoded[rank] = model.encoded;
    pair.predicted[rank] = model.predicted;
    pair.decoded[rank] = model.finished;
  });
  return pair;
}

void expect_equal(const std::vector<Finished>& found, const std::vector<Finished>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    const Result &mine = found[i].results.at(0), &other = expected[i].results.at(0);
    EXPECT_EQ(found[i].unit.index, expected[i].unit.index);
    EXPECT_EQ(mine.id, other.id);
    EXPECT_EQ(mine.error, other.error);
    if (!other.error.empty()) continue;
    EXPECT_TRUE(at::equal(mine.picture, other.picture)) << mine.id;
    EXPECT_TRUE(at::equal(mine.tensors.at("latents"), other.tensors.at("latents"))) << mine.id;
  }
}

Script random_script(std::uint64_t seed, int replicas) {
  Random random(seed);
  Script script;
  script.replicas = replicas;
  const int units = below(random, 8 * replicas);
  for (int i = 0; i < units; ++i) script.units.push_back(random_unit(static_cast<std::uint64_t>(i), random));
  script.depth = 1 + static_cast<std::size_t>(below(random, 4));
  if (below(random, 5) == 0) script.drain_after = 1 + below(random, 5);
  script.tensors = below(random, 2) == 0;
  return script;
}

/// `places`: the engine gives the exchange's transfers theirs.
void run_rank(Transport& all, Transport& replica, const Script& script, Counts& counts, bool places) {
  Job job;
  job.output.tensors = script.tensors;
  const auto model = make_fake_model({job, at::kCPU, at::kFloat});
  const Layout layout{all.size(), 1, 2};
  Exchange exchange(all, {.pool_bytes = 1 << 16, .clock = {}, .layout = layout, .replica = &replica, .places = places});
  GuidancePairEngine engine(*model, replica, {.exchange = &exchange});
  run_script(all, replica.rank(), exchange, engine, script, counts);
}

}  // namespace

TEST(GuidancePair, GivesTheBitsOfOneRankOverManySchedules) {
  for (const int guided_passes : {1000, 1, 2}) {
    const std::vector<Finished> expected = on_one_rank(mixed_units(), {guided_passes, {}});
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      const Watched::Wishes wishes[2] = {{guided_passes, {}}, {guided_passes, {}}};
      expect_equal(on_two_ranks(mixed_units(), wishes, seed, 1 + seed % 8).finished, expected);
    }
  }
}

TEST(GuidancePair, EachRankTakesItsOwnHalfAndTheLastTheRest) {
  const Pair pair = on_two_ranks({picture_unit(0, "a fox", 3)}, {{2, {}}, {2, {}}}, 1);
  EXPECT_THAT(pair.encoded[0], testing::ElementsAre(1));
  EXPECT_THAT(pair.encoded[1], testing::ElementsAre(0));
  EXPECT_THAT(pair.predicted[0], testing::ElementsAre(1, 1));
  EXPECT_THAT(pair.predicted[1], testing::ElementsAre(0, 0));
  EXPECT_EQ(pair.decoded[0], 0);
  EXPECT_EQ(pair.decoded[1], 1);
}

TEST(GuidancePair, WithoutGuidanceTheLastRankWorksAlone) {
  const Pair pair = on_two_ranks({picture_unit(0, "a fox", 0)}, {{}, {}}, 1);
  EXPECT_THAT(pair.encoded[0], IsEmpty());
  EXPECT_EQ(pair.finished.at(0).results.at(0).error, "");
}

TEST(GuidancePair, AnItemThatCannotBeMadeFailsAlone) {
  const Unit fox = picture_unit(7, "a fox", 3);
  Unit three = fox, none = picture_unit(8, "too long", 3), known = picture_unit(9, "a cat", 3);
  three.items.insert(three.items.begin(), picture_unit(7, "too long", 3).items[0]);
  three.items.push_back(picture_unit(7, "too long", 3).items[0]);
  known.items[0].error = "a picture that cannot be read";
  const std::vector<Finished> good = on_one_rank({fox}, {});
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Pair pair = on_two_ranks({three, none, known, fox}, {{}, {}}, seed);
    ASSERT_EQ(pair.finished.size(), 4u);
    std::vector<std::string> errors;
    for (const Finished& finished : pair.finished) {
      for (const Result& result : finished.results) errors.push_back(result.error);
    }
    const std::string too_long = "a caption is too long";
    EXPECT_THAT(errors, testing::ElementsAre(too_long, "", too_long, too_long, "a picture that cannot be read", ""));
    for (const Result* fox_of : {&pair.finished[0].results.at(1), &pair.finished[3].results.at(0)}) {
      EXPECT_TRUE(at::equal(fox_of->picture, good[0].results.at(0).picture)) << seed;
    }
  }
}

TEST(GuidancePair, AUnitThatFailsOnEitherRankFailsOnBothAndTheOthersGoOn) {
  std::vector<Unit> units;
  for (std::uint64_t i = 0; i < 6; ++i) units.push_back(picture_unit(i, "a fox", i == 4 ? 0 : 3));
  const std::vector<Finished> good = on_one_rank(units, {});
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Watched::Wishes wishes[2] = {{1000, {{0, -1}, {2, 1}, {5, 2}}}, {1000, {{1, 0}, {2, 1}}}};
    const Pair pair = on_two_ranks(units, wishes, seed, 1 + seed % 8);
    ASSERT_EQ(pair.finished.size(), units.size());
    for (const Finished& finished : pair.finished) {
      const Result& result = finished.results.at(0);
      const bool fails = finished.unit.index <= 2 || finished.unit.index == 5;
      EXPECT_EQ(result.error, fails ? "no room on this rank" : "") << result.id << ", schedule " << seed;
      if (fails) continue;
      EXPECT_TRUE(at::equal(result.picture, good[finished.unit.index].results.at(0).picture));
    }
  }
}

TEST(GuidancePair, RecallGivesBackOnlyWhatHasNotBegun) {
  std::vector<Unit> back;
  std::size_t finished = 0;
  strict::run({.ranks = 2, .seed = 3}, [&](Transport&, Transport& replica) {
    Watched model({});
    GuidancePairEngine engine(model, replica, {.slices_in_flight = 1, .pass_budget = {}});
    if (replica.rank() == 0) {
      for (std::uint64_t i = 0; i < 3; ++i) engine.submit(picture_unit(i, "a fox", 3));
      engine.progress();
      back = engine.recall();
    }
    while (finished == 0 || !engine.idle()) {
      engine.progress();
      while (engine.take()) ++finished;
    }
  });
  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(back[0].index, 1u);
  EXPECT_EQ(finished, 1u);
}

/// Exchange and pairs together: every unit comes back once, with the bits of the whole model.
TEST(GuidancePair, SharesAJobWithTheExchangeOverAThousandSchedules) {
  Counts counts;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const Script script = random_script(seed, 1 + static_cast<int>(seed % 2));
    ASSERT_NO_THROW(
        strict::run(schedule(seed, script.replicas, 2),
                    [&](Transport& all, Transport& replica) { run_rank(all, replica, script, counts, true); }))
        << "seed " << seed;
  }
  EXPECT_GT(counts.delivered, 2000);
  EXPECT_GT(counts.failed, 200);
  EXPECT_GT(counts.left_over, 30);
}

TEST(GuidancePair, WouldStallIfResultsHadNoPlaceAmongThePredictions) {
  Counts counts;
  expect_stall(500, [&](std::uint64_t seed, Transport& all, Transport& replica) {
    run_rank(all, replica, random_script(seed, 1), counts, false);
  });
}

TEST(GuidancePair, WantsTwoRanks) {
  Watched model({});
  SelfTransport alone(at::kCPU);
  EXPECT_THROW(GuidancePairEngine(model, alone), Error);
}

}  // namespace trireme
