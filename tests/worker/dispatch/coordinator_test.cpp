#include "worker/dispatch/coordinator.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "common/files.h"
#include "tests/common/error_of.h"
#include "tests/common/temporary_folder.h"
#include "worker/transport/strict_transport.h"

namespace trireme {
namespace {

using testing::Each;
using testing::ElementsAre;

struct Script {
  int ranks = 1;
  std::uint64_t seed = 0;
  std::string policy = "least_loaded";
  int depth = 2;
  Coordinator::Work work;
  std::vector<std::uint64_t> failing;  // units
  int slow_rank = -1;                  // whose units take a hundred times as long; -1 = none
  int drain_rank = -1;                 // that asks to stop when it begins its second unit; -1 = none
  std::vector<std::string_view> sinks;
};

/// What was seen of a job, in order over all ranks.
struct Seen {
  struct Begin {
    int rank;
    std::uint64_t unit;
    std::size_t beside;  // units in hand of that rank at that time, without this one
  };
  std::vector<Begin> begins;
  std::vector<JournalLine> lines;
  std::size_t sent_at_drain = 0;  // `sent` lines when the drain began
  std::vector<ExitCode> codes;    // one a rank
  std::uint64_t done = 0, failed = 0;

  template <class Line>
  std::vector<Line> all() const {
    std::vector<Line> found;
    for (const JournalLine& line : lines) {
      if (const auto* one = std::get_if<Line>(&line)) found.push_back(*one);
    }
    return found;
  }
};

Unit unit_of(std::uint64_t index) { return {index, {Item{.id = "u" + std::to_string(index), .index = index}}, 1}; }

Coordinator::Work units(std::uint64_t count, std::vector<std::size_t> suspects = {}) {
  Coordinator::Work work;
  for (std::uint64_t i = 0; i < count; ++i) work.units.push_back(unit_of(i));
  work.suspects = std::move(suspects);
  return work;
}

std::vector<JournalLine> lines_of(const std::filesystem::path& journal) {
  std::vector<JournalLine> lines;
  read_journal(journal, [&](const JournalLine& line) { lines.push_back(line); });
  return lines;
}

/// An engine that takes a unit some passes of the loop.
class SlowHands {
 public:
  SlowHands(const Script& script, int rank, Seen& seen) : script_(script), rank_(rank), seen_(seen) {}

  void progress(Exchange& exchange) {
    while (auto unit = exchange.next_unit()) waiting_.push_back(std::move(*unit));
    if (exchange.recall_wanted()) {
      exchange.return_units({waiting_.begin(), waiting_.end()});
      waiting_.clear();
    }
    if (!running_ && !waiting_.empty()) begin(exchange);
    if (!running_ || --passes_left_ > 0) return;
    exchange.offer({*running_, {result_of(*running_)}, {1, 2, 3}});
    running_.reset();
  }

 private:
  void begin(Exchange& exchange) {
    running_ = std::move(waiting_.front());
    waiting_.pop_front();
    passes_left_ = 1 + static_cast<int>((script_.seed + running_->index * 7) % 40);
    if (rank_ == script_.slow_rank) passes_left_ = 4000;
    seen_.begins.push_back({rank_, running_->index, waiting_.size()});
    if (++begun_ == 2 && rank_ == script_.drain_rank) exchange.ask_to_drain();
  }
  Result result_of(const Unit& unit) const {
    const auto& failing = script_.failing;
    if (std::find(failing.begin(), failing.end(), unit.index) != failing.end()) return {unit.items[0].id, "no", {}, {}};
    return {unit.items[0].id, "", at::zeros({8, 8, 3}, at::kByte), {}};
  }

  const Script& script_;
  const int rank_;
  Seen& seen_;
  std::deque<Unit> waiting_;
  std::optional<Unit> running_;
  int passes_left_ = 0, begun_ = 0;
};

/// Rank 0's parts.
struct Lead {
  Lead(Exchange& exchange, const Script& script, const std::filesystem::path& folder)
      : journal(folder / "journal.jsonl", 1),
        writers({folder, true, {}}, script.sinks, 1),
        dispatcher({script.policy, script.depth}, std::vector<UnitWork>(script.work.units.size()), script.ranks),
        coordinator({exchange, dispatcher, journal, writers}, script.work) {}
  Journal journal;
  Writers writers;
  Dispatcher dispatcher;
  Coordinator coordinator;
};

Seen play(const Script& script) {
  const TemporaryFolder folder;
  const auto journal = folder.write("journal.jsonl", header_text("a run"));
  Seen seen;
  // Writers take their time by the clock of the machine, not by turns: ctest's limit is what ends a stall here.
  strict::run({.ranks = script.ranks, .seed = script.seed, .patience = 1'000'000'000},
              [&](Transport& transport, Transport&) {
                Exchange exchange(transport, {});
                std::optional<Lead> lead;
                if (transport.rank() == 0) lead.emplace(exchange, script, folder.path());
                SlowHands hands(script, transport.rank(), seen);
                exchange.scatter_first(lead ? lead->coordinator.first_shares() : std::vector<std::vector<Unit>>{});
                while (!exchange.finished()) {
                  exchange.progress();
                  hands.progress(exchange);
                  if (!lead) continue;
                  const bool draining = lead->coordinator.draining();
                  lead->coordinator.progress();
                  if (lead->coordinator.draining() && !draining) {
                    seen.lines = lines_of(journal);
                    seen.sent_at_drain = seen.all<SentLine>().size();
                  }
                  if (lead->coordinator.writing()) std::this_thread::yield();
                }
                // FINISH is said when everything is on the disk, so every rank finds all there.
                seen.lines = lines_of(journal);
                seen.codes.push_back(exchange.exit_code());
                EXPECT_EQ(seen.all<ItemRecord>().size(), seen.begins.size());
                if (lead) seen.done = lead->coordinator.done(), seen.failed = lead->coordinator.failed();
              });
  return seen;
}

TEST(Coordinator, HasEveryUnitMadeOnceUnderEveryPolicy) {
  for (const char* policy : {"static", "round_robin", "least_loaded", "weighted", "predictive"}) {
    for (int ranks = 1; ranks <= 4; ++ranks) {
      for (const std::uint64_t count : {0, 1, 3, 13}) {
        const Seen seen = play({.ranks = ranks, .seed = count, .policy = policy, .work = units(count)});
        std::map<std::uint64_t, int> made;
        for (const Seen::Begin& begin : seen.begins) ++made[begin.unit];
        EXPECT_EQ(made.size(), count) << policy << " " << ranks;
        EXPECT_EQ(seen.begins.size(), count);
        EXPECT_EQ(seen.done, count);
        EXPECT_THAT(seen.codes, Each(ExitCode::ok));
      }
    }
  }
}

TEST(Coordinator, DealsTheDepthAtTheStartAndEverythingForStatic) {
  const auto first = [](const char* policy) {
    std::vector<std::size_t> sizes;
    strict::run({.ranks = 1}, [&](Transport& transport, Transport&) {
      const TemporaryFolder folder;
      folder.write("journal.jsonl", header_text("a run"));
      Exchange exchange(transport, {});
      Lead lead(exchange, {.ranks = 3, .policy = policy, .depth = 2, .work = units(11)}, folder.path());
      for (const auto& share : lead.coordinator.first_shares()) sizes.push_back(share.size());
    });
    return sizes;
  };
  EXPECT_THAT(first("least_loaded"), ElementsAre(2, 2, 2));
  EXPECT_THAT(first("round_robin"), ElementsAre(2, 2, 2));
  EXPECT_THAT(first("static"), ElementsAre(4, 4, 3));
}

TEST(Coordinator, RunsSuspectsFirstWithNothingBesideThem) {
  const std::vector<std::size_t> suspects = {2, 5, 7, 9, 10};
  const auto is_suspect = [&](std::uint64_t unit) {
    return std::find(suspects.begin(), suspects.end(), unit) != suspects.end();
  };
  for (const char* policy : {"static", "round_robin", "least_loaded", "weighted", "predictive"}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const Seen seen = play({.ranks = 3, .seed = seed, .policy = policy, .depth = 3, .work = units(14, suspects)});
      ASSERT_EQ(seen.begins.size(), 14u);
      for (std::size_t i = 0; i < seen.begins.size(); ++i) {
        EXPECT_EQ(is_suspect(seen.begins[i].unit), i < suspects.size()) << policy << " " << seed;
        EXPECT_TRUE(i >= suspects.size() || seen.begins[i].beside == 0);
      }
      // In the journal, which says what was in hand at a crash, no unit is sent to a replica that holds a suspect.
      std::map<int, int> in_hand;
      for (const JournalLine& line : seen.lines) {
        if (const auto* sent = std::get_if<SentLine>(&line)) {
          EXPECT_EQ(sent->alone, is_suspect(sent->unit));
          EXPECT_TRUE(!sent->alone || in_hand[sent->replica] == 0) << "unit " << sent->unit;
          ++in_hand[sent->replica];
        } else if (const auto* item = std::get_if<ItemRecord>(&line)) {
          --in_hand[item->replica];
        }
      }
    }
  }
}

TEST(Coordinator, HandsOutNothingMoreOnceAnyRankAsksToStop) {
  for (const char* policy : {"static", "round_robin", "least_loaded", "weighted", "predictive"}) {
    for (int rank = 0; rank < 3; ++rank) {
      const Seen seen =
          play({.ranks = 3, .seed = 5, .policy = policy, .depth = 3, .work = units(40), .drain_rank = rank});
      EXPECT_THAT(seen.codes, Each(ExitCode::stopped_early)) << policy << " " << rank;
      EXPECT_LT(seen.done, 40u);
      EXPECT_EQ(seen.all<SentLine>().size(), seen.sent_at_drain);
      // What was handed out is finished or came back: a resume has nobody to suspect.
      EXPECT_EQ(seen.all<SentLine>().size(), seen.all<ItemRecord>().size() + seen.all<ReturnedLine>().size());
      EXPECT_GT(seen.all<ReturnedLine>().size(), 0u);
    }
  }
}

TEST(Coordinator, GivesAnIdleReplicaWhatASlowOneHasNotBegun) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Seen seen = play({.ranks = 3, .seed = seed, .depth = 3, .work = units(9), .slow_rank = 1});
    const auto slow = std::count_if(seen.begins.begin(), seen.begins.end(), [](const auto& b) { return b.rank == 1; });
    EXPECT_EQ(slow, 1) << "seed " << seed;
    EXPECT_EQ(seen.begins.size(), 9u);
    EXPECT_EQ(seen.done, 9u);
    EXPECT_GE(seen.all<ReturnedLine>().size(), 2u);
  }
}

TEST(Coordinator, MovesNothingUnderTheBaselinePolicies) {
  for (const char* policy : {"static", "round_robin"}) {
    const Seen seen = play({.ranks = 2, .policy = policy, .depth = 3, .work = units(6), .slow_rank = 1});
    EXPECT_TRUE(seen.all<ReturnedLine>().empty()) << policy;
    EXPECT_EQ(seen.done, 6u);
  }
}

TEST(Coordinator, WarnsOnceOfAReplicaThatIsMuchSlowerThanTheOthers) {
  testing::internal::CaptureStderr();
  play({.ranks = 3, .policy = "round_robin", .work = units(15), .slow_rank = 1});
  const std::string said = testing::internal::GetCapturedStderr(), line = "slow as the median of all replica=1";
  const std::size_t first = said.find(line);
  ASSERT_NE(first, std::string::npos) << said;
  EXPECT_EQ(said.find(line, first + 1), std::string::npos);
}

TEST(Coordinator, EndsWithThreeWhenItemsFailedNowOrBefore) {
  const Seen now = play({.ranks = 2, .work = units(5), .failing = {1, 3}});
  EXPECT_THAT(now.codes, Each(ExitCode::some_items_failed));
  EXPECT_EQ(now.done, 3u);
  EXPECT_EQ(now.failed, 2u);
  Coordinator::Work work = units(2);
  work.finished["old"] = {.id = "old", .ok = false, .error = "then"};
  work.finished["older"] = {.id = "older", .ok = true};
  const Seen before = play({.ranks = 2, .work = std::move(work)});
  EXPECT_THAT(before.codes, Each(ExitCode::some_items_failed));
  EXPECT_EQ(before.done, 3u);
}

TEST(Coordinator, NotesWhatAnItemCostAndWhoMadeIt) {
  const Seen seen = play({.ranks = 2, .policy = "round_robin", .work = units(4), .failing = {3}});
  for (const ItemRecord& item : seen.all<ItemRecord>()) {
    EXPECT_EQ(item.seconds, 6);  // of the three phases
    EXPECT_GT(item.finished_seconds, 0) << "when it came home";
    EXPECT_EQ(item.replica, item.id == "u0" || item.id == "u2" ? 0 : 1);
    EXPECT_EQ(item.error, item.id == "u3" ? "no" : "");
  }
}

TEST(Coordinator, ADiskThatCantBeWrittenEndsTheJob) {
  // There is no folder "images" to write to.
  EXPECT_EQ(error_of([] { play({.ranks = 2, .work = units(3), .sinks = {"png"}}); }).code(), ExitCode::cannot_create);
}

}  // namespace
}  // namespace trireme
