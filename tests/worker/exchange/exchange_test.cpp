#include "worker/exchange/exchange.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/worker/exchange/forwarding.h"
#include "tests/worker/exchange/law_keeper.h"
#include "tests/worker/exchange/small_job.h"
#include "worker/exchange/messages.h"
#include "worker/transport/self_transport.h"
#include "worker/transport/strict_transport.h"

namespace trireme {
namespace {

class OnRanks : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Exchange, OnRanks, testing::Range(1, 9));

TEST_P(OnRanks, DeliversEveryUnitOnceOverAThousandSchedules) {
  const int ranks = GetParam();
  int delivered = 0, returned = 0, left_over = 0, failed = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const small_job::Script script = small_job::random_script(seed, ranks);
    const strict::Settings settings{.ranks = ranks, .seed = seed, .hosts_stand_still = seed % 2 == 1};
    strict::run(settings, [&](Transport& transport, Transport&) {
      LawKeeper watched(transport);
      const small_job::Report report = small_job::run({watched}, script, at::kCPU);
      delivered += report.delivered;
      returned += report.returned;
      left_over += report.left_over;
      failed += report.failed;
    });
  }
  // The schedules reach what they are for.
  EXPECT_GT(delivered, 1000);
  EXPECT_GT(returned, 100);
  EXPECT_GT(left_over, 10);
  EXPECT_GT(failed, 100);
}

TEST(Exchange, DealsWithTheFirstAndTheLastRankOfEachReplica) {
  int delivered = 0, returned = 0;
  for (const int each : {2, 3}) {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
      const int replicas = 1 + static_cast<int>(seed % 3);
      const small_job::Script script = small_job::random_script(seed, replicas);
      const strict::Settings settings{
          .ranks = replicas * each, .ranks_per_replica = each, .seed = seed, .hosts_stand_still = seed % 4 >= 2};
      strict::run(settings, [&](Transport& transport, Transport& replica) {
        LawKeeper watched(transport);
        const small_job::Report report = small_job::run({watched, &replica}, script, at::kCPU);
        delivered += report.delivered;
        returned += report.returned;
      });
    }
  }
  EXPECT_GT(delivered, 1000);
  EXPECT_GT(returned, 50);
}

TEST(Exchange, RunsOnOneRankWithoutMpi) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SelfTransport transport(at::kCPU);
    const small_job::Script script = small_job::random_script(seed, 1);
    const small_job::Report report = small_job::run({transport}, script, at::kCPU);
    EXPECT_EQ(report.delivered + report.left_over, script.units);
  }
}

/// Says that every message has left.
class Lying : public Forwarding {
 public:
  using Forwarding::Forwarding;
  bool flushed() override { return true; }
};

std::string complaint(int ranks, std::uint64_t seed, const strict::Body& body) {
  try {
    strict::run({.ranks = ranks, .seed = seed, .patience = 500}, body);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(Exchange, WouldStallIfReadyHadNotLeftBeforeTheHalf) {
  small_job::Script script;
  script.units = 20;
  const std::string found = complaint(3, 1, [&](Transport& transport, Transport&) {
    Lying lying(transport);
    small_job::run({lying}, script, at::kCPU);
  });
  EXPECT_NE(found.find("stall"), std::string::npos) << found;
  EXPECT_NE(found.find("to rank 0, held until a group of the sender is complete"), std::string::npos) << found;
}

TEST(Exchange, IsWatchedByALawKeeperThatSeesBreaches) {
  small_job::Script script;
  script.units = 20;
  const std::string early = complaint(2, 1, [&](Transport& transport, Transport&) {
    LawKeeper watched(transport);
    Lying lying(watched);
    small_job::run({lying}, script, at::kCPU);
  });
  EXPECT_EQ(early, "rank 1 posted a half to 0 before READY had left");
  const std::string unasked = complaint(2, 1, [](Transport& transport, Transport&) {
    LawKeeper watched(transport);
    watched.receive();
    if (watched.rank() == 0) watched.start({{1, Direction::send, at::zeros({4}, at::kByte)}});
  });
  EXPECT_EQ(unasked, "rank 0 posted a half to 1 without READY");
}

Finished made_up(std::uint64_t unit) {
  Finished finished;
  finished.unit.index = unit;
  return finished;
}

/// Rank 0 keeps an exchange of its own; rank 1 says what `say` says, outside the protocol.
std::string answer_to(const std::function<void(Transport&)>& say) {
  return complaint(2, 3, [&](Transport& transport, Transport&) {
    if (transport.rank() == 1) {
      transport.scatter({}, 0);
      return say(transport);
    }
    Exchange exchange(transport, {});
    exchange.scatter_first({{}, {}});
    while (true) exchange.progress();
  });
}

TEST(Exchange, NamesThePeerOfMessagesThatNobodyAskedFor) {
  const auto saying = [](message::Any message) {
    return answer_to([message](Transport& transport) { transport.send(0, message::encode(message)); });
  };
  EXPECT_EQ(saying(message::Offer{7, 100}), "OFFER from rank 1: unit 7 is not in this rank's hands");
  EXPECT_EQ(saying(message::Ready{4}), "READY from rank 1: no grant 4 waits for this rank");
  EXPECT_EQ(saying(message::Returned{{1}}), "RETURNED from rank 1: nobody asked");
  EXPECT_EQ(saying(message::FinishAck{}), "FINISHED-ACK from rank 1: nobody asked");
  EXPECT_EQ(saying(message::Recall{}), "RECALL from rank 1: only rank 0 may say this");
  EXPECT_EQ(saying(message::Finish{ExitCode::ok}), "FINISH from rank 1: only rank 0 may say this");
  EXPECT_EQ(answer_to([](Transport& transport) { transport.send(0, Bytes(3)); }),
            "a message from rank 1: control message: byte 1 of 3: expected version 1, found 0: are all ranks the same "
            "program?");
}

TEST(Exchange, CatchesAnUnsolicitedSendOfAWorker) {
  const std::string found = answer_to([](Transport& transport) {
    transport.start({{0, Direction::send, at::zeros({10}, at::kByte)}});
  });
  EXPECT_NE(found.find("stall"), std::string::npos) << found;
  EXPECT_NE(found.find("rank 1 exchange: [send to 0 (10 bytes)]"), std::string::npos) << found;
}

/// One rank: everything can be looked at between two passes.
struct OneRank {
  explicit OneRank(Exchange::Settings settings = {}) : exchange(transport, std::move(settings)) {}
  void settle() {
    while (exchange.progress()) {
    }
  }
  SelfTransport transport{at::kCPU};
  Exchange exchange;
};

Unit unit_of(std::uint64_t index) { return {index, {Item{.id = std::to_string(index)}}, 1}; }

Finished finished_of(Unit unit, int side) {
  Finished finished{std::move(unit), {}, {}};
  finished.results.push_back({finished.unit.items[0].id, "", at::zeros({side, side, 3}, at::kByte), {}});
  return finished;
}

TEST(Exchange, GrantsNothingWhileThePoolIsTakenAndAlwaysOneResult) {
  OneRank job({.pool_bytes = 100, .clock = {}});  // less than one picture
  job.exchange.scatter_first({{unit_of(0), unit_of(1)}});
  for (int i = 0; i < 2; ++i) job.exchange.offer(finished_of(*job.exchange.next_unit(), 32));
  job.settle();
  std::optional<Delivery> first = job.exchange.take_delivery();
  ASSERT_TRUE(first);
  job.settle();
  EXPECT_FALSE(job.exchange.take_delivery());
  EXPECT_TRUE(job.exchange.outstanding());
  const at::Tensor picture = first->results[0].picture;
  first.reset();
  job.settle();
  EXPECT_FALSE(job.exchange.take_delivery()) << "the picture alone must keep the buffer";
  const_cast<at::Tensor&>(picture).reset();
  job.settle();
  EXPECT_TRUE(job.exchange.take_delivery());
  EXPECT_FALSE(job.exchange.outstanding());
}

TEST(Exchange, ReturnsRefillsThatHaveNotLeftAndUnitsThatHaveNotBegun) {
  OneRank job;
  job.exchange.scatter_first({{unit_of(0), unit_of(1)}});
  const Unit begun = *job.exchange.next_unit();
  job.exchange.refill(0, unit_of(2));
  job.exchange.recall(0);
  job.settle();
  ASSERT_TRUE(job.exchange.recall_wanted());
  EXPECT_FALSE(job.exchange.recall_wanted()) << "once a request";
  job.exchange.return_units({});
  job.settle();
  const std::optional<Exchange::Returned> returned = job.exchange.take_returned();
  ASSERT_TRUE(returned);
  ASSERT_EQ(returned->units.size(), 2u);
  EXPECT_EQ(returned->units[0].index, 2u);  // had no grant yet
  EXPECT_EQ(returned->units[1].index, 1u);  // had arrived
  job.exchange.offer(finished_of(begun, 4));
  job.settle();
  EXPECT_EQ(job.exchange.take_delivery()->unit, 0u);
}

TEST(Exchange, LetsARefillArriveBeforeItAnswersARecall) {
  OneRank job;
  job.exchange.scatter_first({{}});
  job.exchange.refill(0, unit_of(5));
  job.exchange.progress();  // GRANT is out
  job.exchange.recall(0);
  job.settle();
  ASSERT_TRUE(job.exchange.recall_wanted());
  job.exchange.return_units({});
  job.settle();
  EXPECT_EQ(job.exchange.take_returned()->units.at(0).index, 5u);
}

TEST(Exchange, TakesTimeFromTheClockItIsGiven) {
  double now = 100;
  std::vector<double> silence, transfers;
  strict::run({.ranks = 2, .seed = 1}, [&](Transport& transport, Transport&) {
    Exchange exchange(transport, {.clock = [&] { return now; }});
    exchange.scatter_first(transport.rank() == 0 ? std::vector<std::vector<Unit>>{{}, {}}
                                                 : std::vector<std::vector<Unit>>{});
    if (transport.rank() == 1) {
      transport.barrier();
      exchange.send_pulse();
    } else {
      now = 130;
      silence.push_back(exchange.seconds_since_heard_from(1));
      transport.barrier();
      while (exchange.seconds_since_heard_from(1) > 0) exchange.progress();
      silence.push_back(exchange.seconds_since_heard_from(1));
      now = 131.5;
      silence.push_back(exchange.seconds_since_heard_from(1));
      silence.push_back(exchange.seconds_since_heard_from(0));
      exchange.finish(ExitCode::stopped_early);
    }
    while (!exchange.finished()) exchange.progress();
    EXPECT_EQ(exchange.exit_code(), ExitCode::stopped_early);
  });
  EXPECT_EQ(silence, (std::vector<double>{30, 0, 1.5, 0}));
}

TEST(Exchange, PulsesTellHowManyTokensAllRanksHaveWritten) {
  strict::run({.ranks = 3, .seed = 2}, [&](Transport& transport, Transport&) {
    Exchange exchange(transport, {});
    exchange.scatter_first(transport.rank() == 0 ? std::vector<std::vector<Unit>>{{}, {}, {}}
                                                 : std::vector<std::vector<Unit>>{});
    exchange.send_pulse(4);
    exchange.send_pulse(10 + static_cast<std::uint64_t>(transport.rank()));
    if (transport.rank() == 0) {
      while (exchange.tokens() != 10 + 11 + 12) exchange.progress();
      exchange.finish(ExitCode::ok);
    }
    while (!exchange.finished()) exchange.progress();
  });
}

TEST(Exchange, KeepsTheLastNewsOfEachNodeByTheRankThatSentThem) {
  strict::run({.ranks = 3, .seed = 2}, [&](Transport& transport, Transport&) {
    Exchange exchange(transport, {});
    exchange.scatter_first(transport.rank() == 0 ? std::vector<std::vector<Unit>>{{}, {}, {}}
                                                 : std::vector<std::vector<Unit>>{});
    const bool watches = transport.rank() != 1;  // rank 1 is on the node of rank 0
    exchange.send_pulse(0, watches ? "old" : "");
    exchange.send_pulse(0, watches ? "of " + std::to_string(transport.rank()) : "");
    exchange.send_pulse(1);  // no news
    if (transport.rank() == 0) {
      while (exchange.tokens() != 3) exchange.progress();
      EXPECT_EQ(exchange.nodes(), (std::map<int, std::string>{{0, "of 0"}, {2, "of 2"}}));
      exchange.finish(ExitCode::ok);
    }
    while (!exchange.finished()) exchange.progress();
  });
}

TEST(Exchange, RefusesMistakesOfItsCaller) {
  OneRank job;
  job.exchange.scatter_first({{unit_of(0)}});
  EXPECT_THROW(job.exchange.offer(made_up(9)), Error);
  EXPECT_THROW(job.exchange.return_units({}), Error);
  EXPECT_THROW(job.exchange.refill(1, unit_of(1)), Error);
  EXPECT_THROW(job.exchange.finish(ExitCode::ok), Error) << "a unit is out";
  job.exchange.refill(0, unit_of(0));
  EXPECT_THROW(job.exchange.progress(), Error) << "the same unit twice";
}

}  // namespace
}  // namespace trireme
