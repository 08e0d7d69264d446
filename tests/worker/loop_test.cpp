#include "worker/loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/common/error_of.h"
#include "tests/common/temporary_folder.h"
#include "worker/engine/whole_model.h"
#include "worker/models/fake/fake_model.h"
#include "worker/models/list.h"
#include "worker/signals.h"
#include "worker/transport/strict_transport.h"

namespace trireme {
namespace {

using testing::Each;
using testing::HasSubstr;

constexpr LoopSettings kSettings{.interval_seconds = 0.001, .stall_timeout_seconds = 100};
// The loop sleeps by the clock of the machine, not by turns: ctest's limit is what ends a stall here.
constexpr int kPatient = 1'000'000'000;

Coordinator::Work pictures(std::uint64_t count) {
  Coordinator::Work work;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Item item{.id = std::to_string(i), .index = i, .prompt = "p", .width = 8, .height = 8, .steps = 2};
    work.units.push_back({i, {item}, 1});
  }
  return work;
}

/// What rank 0 has beside the others.
struct Lead {
  Lead(Exchange& exchange, int ranks, std::uint64_t count, const TemporaryFolder& folder)
      : journal(folder.write("journal.jsonl", header_text("a run")), 1),
        writers({folder.path(), true, {}}, {}, 1),
        dispatcher({"least_loaded", 2}, std::vector<UnitWork>(count), ranks),
        coordinator({exchange, dispatcher, journal, writers}, pictures(count)) {}
  Journal journal;
  Writers writers;
  Dispatcher dispatcher;
  Coordinator coordinator;
};

/// One rank of a job of the fake family. `before`: called between the first scatter and the loop.
LoopReport run_rank(
    Transport& transport, std::uint64_t count, Exchange::Settings settings = {},
    const std::function<void()>& before = [] {}) {
  const TemporaryFolder folder;
  Exchange exchange(transport, std::move(settings));
  const Job job;
  const auto model = make_fake_model({job, at::kCPU, at::kFloat});
  WholeModelEngine engine(*model);
  Watchdog watchdog(600, [](const std::string&, Busy) {});
  std::optional<Lead> lead;
  if (transport.rank() == 0) lead.emplace(exchange, transport.size(), count, folder);
  exchange.scatter_first(lead ? lead->coordinator.first_shares() : std::vector<std::vector<Unit>>{});
  before();
  LoopParts parts{transport, exchange, engine, lead ? &lead->coordinator : nullptr, watchdog, {}};
  const LoopReport report = run_loop(parts, kSettings);
  EXPECT_TRUE(!lead || report.code != ExitCode::ok || lead->coordinator.done() == count);
  return report;
}

TEST(Loop, RunsAJobToItsEndOnEveryRank) {
  for (int ranks = 1; ranks <= 4; ++ranks) {
    for (const std::uint64_t count : {0, 1, 6}) {
      std::vector<ExitCode> codes;
      strict::run({.ranks = ranks, .seed = count, .patience = kPatient}, [&](Transport& transport, Transport&) {
        const LoopReport report = run_rank(transport, count);
        codes.push_back(report.code);
        EXPECT_LE(report.longest_pass_seconds, report.seconds);
        EXPECT_NEAR(report.busy_seconds + report.idle_seconds, report.seconds, 1e-3);
      });
      EXPECT_EQ(codes.size(), static_cast<std::size_t>(ranks));
      EXPECT_THAT(codes, Each(ExitCode::ok));
    }
  }
}

TEST(Loop, DrainsWhenItsRankGetsTheSignal) {
  signals::install();
  for (const int signal : {SIGUSR1, SIGUSR2}) {
    std::vector<ExitCode> codes;
    strict::run({.ranks = 2, .seed = 1, .patience = kPatient}, [&](Transport& transport, Transport&) {
      codes.push_back(run_rank(transport, 1000, {}, [&] {
                        if (transport.rank() == 1) raise(signal);
                      }).code);
    });
    EXPECT_THAT(codes, Each(ExitCode::stopped_early)) << signal;
  }
}

/// `speaker` runs its loop; the other rank comes as far as the first scatter and stops there for `seconds`.
std::string complaint_about_a_stopped_rank(int speaker, double seconds) {
  double now = 0;
  return error_of([&] {
           strict::run({.ranks = 2, .seed = 1, .patience = kPatient}, [&](Transport& transport, Transport&) {
             if (transport.rank() == speaker) {
               run_rank(transport, 0, {.clock = [&] { return now; }}, [&] { now = seconds; });
             } else {
               Exchange exchange(transport, {});
               exchange.scatter_first(transport.rank() == 0 ? std::vector<std::vector<Unit>>(2)
                                                            : std::vector<std::vector<Unit>>{});
               for (;;) transport.progress();
             }
           });
         })
      .what();
}

TEST(Loop, NamesARankThatHasBeenSilentForHalfAsLongAgainAsTheTimeout) {
  EXPECT_THAT(complaint_about_a_stopped_rank(0, 151), HasSubstr("rank 1 has been silent for 150 s"));
  EXPECT_THAT(complaint_about_a_stopped_rank(1, 151), HasSubstr("rank 0 has been silent for 150 s"));
}

TEST(Loop, SendsSignsOfLifeAndTakesThoseOfOthers) {
  double now = 0;
  strict::run({.ranks = 2, .seed = 1, .patience = 100'000}, [&](Transport& transport, Transport&) {
    const auto clock = [&] { return now; };
    if (transport.rank() == 1) {
      EXPECT_EQ(run_rank(transport, 0, {.clock = clock}).code, ExitCode::ok);
      return;
    }
    Exchange exchange(transport, {.clock = clock});
    exchange.scatter_first(std::vector<std::vector<Unit>>(2));
    for (int i = 0; i < 50; ++i) {
      now += 10;  // 500 in all: without our signs the loop would complain
      while (exchange.seconds_since_heard_from(1) > 0) {
        exchange.send_pulse();
        exchange.progress();
      }
    }
    exchange.finish(ExitCode::ok);
    while (!exchange.finished()) exchange.progress();
  });
}

}  // namespace
}  // namespace trireme
