#include "worker/transport/strict_transport.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>

#include "common/errors.h"

namespace trireme {
namespace {

at::Tensor bytes_of(int count, int value) { return at::full({count}, value, at::kByte); }

Message wait_for_message(Transport& transport) {
  while (true) {
    transport.progress();
    if (auto message = transport.receive()) return std::move(*message);
  }
}

void wait_for(Transport& transport, TransferId id) {
  while (!transport.done(id)) transport.progress();
}

/// What `run` complains of over the first seeds that make it complain, or nothing.
std::string complaint(int ranks, const strict::Body& body, int seeds = 1) {
  for (int seed = 0; seed < seeds; ++seed) {
    try {
      strict::run({.ranks = ranks, .seed = static_cast<std::uint64_t>(seed), .patience = 500}, body);
    } catch (const Error& error) {
      return error.what();
    }
  }
  return {};
}

TEST(StrictTransport, MovesBytesBetweenTwoRanks) {
  for (int seed = 0; seed < 50; ++seed) {
    strict::run({.ranks = 2, .seed = static_cast<std::uint64_t>(seed)}, [](Transport& transport, Transport&) {
      at::Tensor data = transport.rank() == 0 ? bytes_of(100, 7) : bytes_of(100, 0);
      const Direction direction = transport.rank() == 0 ? Direction::send : Direction::receive;
      wait_for(transport, transport.start({{1 - transport.rank(), direction, data}}));
      EXPECT_TRUE(at::equal(data, bytes_of(100, 7)));
    });
  }
}

TEST(StrictTransport, KeepsTheOrderOfMessagesBetweenTwoRanks) {
  for (int seed = 0; seed < 50; ++seed) {
    strict::run({.ranks = 3, .seed = static_cast<std::uint64_t>(seed)}, [](Transport& transport, Transport&) {
      if (transport.rank() > 0) {
        for (int i = 0; i < 20; ++i) transport.send(0, {static_cast<std::byte>(i)});
        return;
      }
      int next[3] = {};
      for (int i = 0; i < 40; ++i) {
        const Message message = wait_for_message(transport);
        EXPECT_EQ(static_cast<int>(message.body[0]), next[message.from]++);
      }
    });
  }
}

TEST(StrictTransport, MatchesHalvesToOneselfInAnyPlaceOfTheQueue) {
  strict::run({.ranks = 1}, [](Transport& transport, Transport&) {
    at::Tensor first = bytes_of(8, 0), second = bytes_of(8, 0);
    const TransferId in = transport.start({{0, Direction::receive, first}, {0, Direction::receive, second}});
    transport.start({{0, Direction::send, bytes_of(8, 1)}});
    transport.start({{0, Direction::send, bytes_of(8, 2)}});
    wait_for(transport, in);
    EXPECT_TRUE(at::equal(first, bytes_of(8, 1)));
    EXPECT_TRUE(at::equal(second, bytes_of(8, 2)));
    while (!transport.done(in + 2)) transport.progress();
  });
}

TEST(StrictTransport, RunsTheCollectiveCallsAtOneToFourRanks) {
  for (int ranks = 1; ranks <= 4; ++ranks) {
    strict::run({.ranks = ranks, .seed = 5}, [&](Transport& transport, Transport& replica) {
      const int rank = transport.rank();
      std::vector<std::uint64_t> values;
      for (int r = 0; r < ranks; ++r) values.push_back(100 + r);
      EXPECT_EQ(transport.scatter(rank == 0 ? values : std::vector<std::uint64_t>{}, 0), 100u + rank);
      const std::vector<Bytes> all = transport.gather(to_bytes(std::to_string(rank)), 0);
      EXPECT_EQ(all.size(), rank == 0 ? static_cast<std::size_t>(ranks) : 0u);
      if (rank == 0) {
        EXPECT_EQ(all.back(), to_bytes(std::to_string(ranks - 1)));
      }
      EXPECT_EQ(transport.broadcast(rank == 0 ? to_bytes("hello") : Bytes{}, 0), to_bytes("hello"));
      at::Tensor data = bytes_of(64, rank == 0 ? 9 : 0);
      wait_for(transport, transport.broadcast(data, 0));
      EXPECT_TRUE(at::equal(data, bytes_of(64, 9)));
      transport.warm_up(64, Pattern::star);
      replica.barrier();
      transport.barrier();
    });
  }
}

TEST(StrictTransport, IsTheSameRunForTheSameSeed) {
  const auto turns = [](std::uint64_t seed) {
    std::vector<int> order;
    strict::run({.ranks = 3, .seed = seed}, [&](Transport& transport, Transport&) {
      for (int i = 0; i < 20; ++i) {
        order.push_back(transport.rank());
        transport.progress();
      }
    });
    return order;
  };
  EXPECT_EQ(turns(1), turns(1));
  EXPECT_NE(turns(1), turns(2));
}

TEST(StrictTransport, ReportsACycleWithItsQueues) {
  // Each sends to the next before it receives: the mistake that MPI's buffers hide.
  const std::string found = complaint(3, [](Transport& transport, Transport&) {
    const int next = (transport.rank() + 1) % 3, previous = (transport.rank() + 2) % 3;
    transport.start({{next, Direction::send, bytes_of(16, 1)}});
    wait_for(transport, transport.start({{previous, Direction::receive, bytes_of(16, 0)}}));
  });
  EXPECT_NE(found.find("cycle: rank"), std::string::npos) << found;
  EXPECT_NE(found.find("rank 2 exchange: [send to 0 (16 bytes)] [receive from 1 (16 bytes)]"), std::string::npos)
      << found;
}

TEST(StrictTransport, LetsARingPassThatStartsBothHalvesInOneGroup) {
  const std::string found = complaint(
      3,
      [](Transport& transport, Transport&) {
        const int next = (transport.rank() + 1) % 3, previous = (transport.rank() + 2) % 3;
        wait_for(transport, transport.start({{next, Direction::send, bytes_of(16, 1)},
                                             {previous, Direction::receive, bytes_of(16, 0)}}));
      },
      50);
  EXPECT_EQ(found, "");
}

TEST(StrictTransport, KeepsTheTwoCommunicatorsApart) {
  // In one queue this order would be a cycle.
  const std::string found = complaint(
      2,
      [](Transport& exchange, Transport& replica) {
        const int peer = 1 - exchange.rank();
        const Direction direction = peer ? Direction::send : Direction::receive;
        TransferId ids[2];
        for (const int i : {exchange.rank(), peer}) {
          ids[i] = (i ? exchange : replica).start({{peer, direction, bytes_of(4 + i, 1)}});
        }
        wait_for(replica, ids[0]);
        wait_for(exchange, ids[1]);
      },
      50);
  EXPECT_EQ(found, "");
}

TEST(StrictTransport, CatchesAnUnsolicitedSend) {
  const std::string found = complaint(2, [](Transport& transport, Transport&) {
    if (transport.rank() == 0) return;
    wait_for(transport, transport.start({{0, Direction::send, bytes_of(32, 1)}}));
  });
  EXPECT_NE(found.find("stall"), std::string::npos) << found;
  EXPECT_NE(found.find("rank 1 exchange: [send to 0 (32 bytes)]"), std::string::npos) << found;
}

/// Rank 1 says "ready" and rank 0 answers with its half: right only if the word left before rank 1 posted its own.
void say_and_send(Transport& transport, bool wait_until_it_left) {
  if (transport.rank() == 0) {
    wait_for_message(transport);
    wait_for(transport, transport.start({{1, Direction::receive, bytes_of(8, 0)}}));
    return;
  }
  transport.send(0, to_bytes("ready"));
  while (wait_until_it_left && !transport.flushed()) transport.progress();
  wait_for(transport, transport.start({{0, Direction::send, bytes_of(8, 1)}}));
}

TEST(StrictTransport, CatchesAHalfPostedBeforeItsMessageLeft) {
  const auto run = [](bool wait) {
    return complaint(
        2, [wait](Transport& transport, Transport&) { say_and_send(transport, wait); }, 50);
  };
  EXPECT_EQ(run(true), "");
  const std::string found = run(false);
  EXPECT_NE(found.find("1 messages from rank 1 to rank 0, held until a group of the sender is complete"),
            std::string::npos)
      << found;
}

TEST(StrictTransport, FindsOutASenderThatChangesItsBufferTooEarly) {
  bool spoilt = false;
  for (int seed = 0; seed < 50 && !spoilt; ++seed) {
    strict::run({.ranks = 2, .seed = static_cast<std::uint64_t>(seed)}, [&](Transport& transport, Transport&) {
      const bool sender = transport.rank() == 0;
      at::Tensor data = bytes_of(8, sender ? 1 : 0);
      const TransferId id =
          transport.start({{1 - transport.rank(), sender ? Direction::send : Direction::receive, data}});
      if (sender) data.fill_(2);
      wait_for(transport, id);
      if (!sender && !at::equal(data, bytes_of(8, 1))) spoilt = true;
    });
  }
  EXPECT_TRUE(spoilt);
}

TEST(StrictTransport, ComplainsOfRanksThatDifferAboutTheBytes) {
  const std::string found = complaint(2, [](Transport& transport, Transport&) {
    const bool sender = transport.rank() == 0;
    wait_for(transport, transport.start({{1 - transport.rank(), sender ? Direction::send : Direction::receive,
                                          bytes_of(sender ? 8 : 9, 0)}}));
  });
  EXPECT_NE(found.find("differ about the bytes"), std::string::npos) << found;
}

TEST(StrictTransport, ComplainsOfARankThatStaysAwayFromACollectiveCall) {
  const std::string found = complaint(2, [](Transport& transport, Transport&) {
    if (transport.rank() == 0) transport.barrier();
  });
  EXPECT_NE(found.find("rank 0 waits in a collective call"), std::string::npos) << found;
}

TEST(StrictTransport, ThrowsWhatARankThrows) {
  EXPECT_EQ(complaint(3,
                      [](Transport& transport, Transport&) {
                        for (int i = 0; i < 10; ++i) transport.progress();
                        if (transport.rank() == 1) throw Error(ExitCode::io_error, "the disk is full");
                        transport.barrier();
                      }),
            "the disk is full");
}

}  // namespace
}  // namespace trireme
