#include "contract.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <map>
#include <stdexcept>
#include <thread>

#include "common/errors.h"

namespace trireme::test {
namespace {

template <class Condition>
void wait_until(Transport& transport, Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      throw std::runtime_error("rank " + std::to_string(transport.rank()) + " waited for a minute");
    }
    transport.progress();
    std::this_thread::yield();
  }
}

void wait_for(Transport& transport, TransferId id) {
  wait_until(transport, [&] { return transport.done(id); });
}

Message next_message(Transport& transport) {
  std::optional<Message> message;
  wait_until(transport, [&] { return (message = transport.receive()).has_value(); });
  return std::move(*message);
}

/// Bytes that differ from place to place and, mostly, from seed to seed.
Bytes message(std::size_t size, int seed) {
  Bytes body(size);
  for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<std::byte>((i * 7 + seed * 31) % 251);
  return body;
}

at::Tensor room(const Transport& transport, std::int64_t bytes) {
  return at::zeros({bytes}, at::TensorOptions(at::kByte).device(transport.device()));
}

at::Tensor pattern(const Transport& transport, std::int64_t bytes, int seed) {
  const at::Tensor period = at::arange(251, at::TensorOptions(at::kLong).device(transport.device()));
  const at::Tensor values = (period * 7 + seed * 31).remainder(251).to(at::kByte);
  return values.repeat({bytes / 251 + 1}).slice(0, 0, bytes).contiguous();
}

bool same(const at::Tensor& a, const at::Tensor& b) { return at::equal(a.cpu(), b.cpu()); }

void messages_keep_their_order(Transport& transport) {
  constexpr int kCount = 60;
  const auto size_of = [](int number) {
    return number % 20 == 19 ? std::size_t{300'000} : std::size_t{1} + number * 13;
  };
  for (int number = 0; number < kCount; ++number) {
    for (int to = 0; to < transport.size(); ++to) {
      transport.send(to, message(size_of(number), number + transport.rank()));
    }
  }
  std::map<int, int> received;
  for (int i = 0; i < kCount * transport.size(); ++i) {
    const Message got = next_message(transport);
    const int number = received[got.from]++;
    EXPECT_EQ(got.body, message(size_of(number), number + got.from)) << "message " << number << " from " << got.from;
  }
  for (int from = 0; from < transport.size(); ++from) EXPECT_EQ(received[from], kCount);
  wait_until(transport, [&] { return transport.flushed(); });
  transport.barrier();
  EXPECT_FALSE(transport.receive().has_value());
}

/// Rank 1 looks for no message before rank 0 has seen its own leave.
void messages_leave_without_their_receiver(Transport& transport) {
  if (transport.size() == 1) return;
  constexpr std::size_t kLong = 40'000;
  if (transport.rank() == 0) {
    transport.send(1, message(kLong, 1));
    wait_until(transport, [&] { return transport.flushed(); });
  }
  transport.barrier();
  if (transport.rank() == 1) {
    EXPECT_EQ(next_message(transport).body, message(kLong, 1));
  }
}

void messages_may_be_empty(Transport& transport) {
  const int next = (transport.rank() + 1) % transport.size();
  transport.send(next, {});
  const Message got = next_message(transport);
  EXPECT_TRUE(got.body.empty());
  EXPECT_EQ(got.from, (transport.rank() + transport.size() - 1) % transport.size());
  wait_until(transport, [&] { return transport.flushed(); });
}

void transfers_of_every_size(Transport& transport) {
  for (const std::int64_t bytes : {1LL, 2LL, 4095LL, 65537LL, 1LL << 20, 64LL << 20}) {
    for (int peer = 0; peer < transport.size(); ++peer) {  // rank 0 with each, itself included, both ways at once
      if (transport.rank() != 0 && transport.rank() != peer) continue;
      const int other = transport.rank() == 0 ? peer : 0;
      const at::Tensor in = room(transport, bytes);
      const TransferId id = transport.start(
          {{other, Direction::send, pattern(transport, bytes, transport.rank())}, {other, Direction::receive, in}});
      wait_for(transport, id);
      EXPECT_TRUE(same(in, pattern(transport, bytes, other))) << bytes << " bytes from " << other;
    }
  }
}

void groups_mix_peers_and_directions(Transport& transport) {
  constexpr int kEach = 3;
  const auto size_of = [](int from, int to, int number) { return 1 + from * 5000 + to * 700 + number * 31; };
  std::vector<Half> group;
  std::vector<at::Tensor> rooms;
  for (int number = 0; number < kEach; ++number) {
    for (int peer = 0; peer < transport.size(); ++peer) {
      const int me = transport.rank();
      group.push_back({peer, Direction::send, pattern(transport, size_of(me, peer, number), me + number)});
      rooms.push_back(room(transport, size_of(peer, me, number)));
      group.push_back({peer, Direction::receive, rooms.back()});
    }
  }
  wait_for(transport, transport.start(std::move(group)));
  for (int number = 0; number < kEach; ++number) {
    for (int peer = 0; peer < transport.size(); ++peer) {
      const at::Tensor expected = pattern(transport, size_of(peer, transport.rank(), number), peer + number);
      EXPECT_TRUE(same(rooms[number * transport.size() + peer], expected)) << "half " << number << " of rank " << peer;
    }
  }
}

void many_groups_are_in_flight(Transport& transport) {
  constexpr int kGroups = 40;
  std::vector<TransferId> ids;
  std::vector<at::Tensor> rooms;
  for (int number = 0; number < kGroups; ++number) {
    std::vector<Half> group;
    if (transport.rank() == 0) {
      for (int peer = 0; peer < transport.size(); ++peer) {
        group.push_back({peer, Direction::send, pattern(transport, 1000 + number, number)});
      }
    }
    rooms.push_back(room(transport, 1000 + number));
    group.push_back({0, Direction::receive, rooms.back()});
    ids.push_back(transport.start(std::move(group)));
  }
  for (int number = kGroups - 1; number >= 0; --number) wait_for(transport, ids[number]);
  for (int number = 0; number < kGroups; ++number) {
    EXPECT_TRUE(same(rooms[number], pattern(transport, 1000 + number, number))) << "group " << number;
  }
}

void halves_to_oneself_match_in_order(Transport& transport) {
  const int me = transport.rank();
  const at::Tensor first = room(transport, 100), second = room(transport, 200);
  const TransferId send_first = transport.start({{me, Direction::send, pattern(transport, 100, 1)}});
  const TransferId send_second = transport.start({{me, Direction::send, pattern(transport, 200, 2)}});
  transport.progress();
  EXPECT_FALSE(transport.done(send_first));
  const TransferId receive_first = transport.start({{me, Direction::receive, first}});
  const TransferId receive_second = transport.start({{me, Direction::receive, second}});
  for (const TransferId id : {send_first, send_second, receive_first, receive_second}) wait_for(transport, id);
  EXPECT_TRUE(same(first, pattern(transport, 100, 1)));
  EXPECT_TRUE(same(second, pattern(transport, 200, 2)));
}

void a_rank_without_bytes_posts_nothing(Transport& transport) {
  std::vector<Half> group;
  const at::Tensor in = room(transport, 5000);
  if (transport.rank() == 0) {
    for (int peer = 1; peer < transport.size(); peer += 2) {
      group.push_back({peer, Direction::send, pattern(transport, 5000, peer)});
    }
  } else if (transport.rank() % 2 == 1) {
    group.push_back({0, Direction::receive, in});
  }
  wait_for(transport, transport.start(std::move(group)));
  if (transport.rank() % 2 == 1) {
    EXPECT_TRUE(same(in, pattern(transport, 5000, transport.rank())));
  }
}

void transfers_wait_for_the_work_before_them(Transport& transport) {
  if (transport.rank() > 1) return;
  const int other = transport.size() == 1 ? 0 : 1 - transport.rank();
  at::Tensor out = room(transport, 8 << 20), in = room(transport, 8 << 20);
  for (int i = 0; i < 50; ++i) out.add_(1);  // still on its way on a GPU when the transfer is started
  const TransferId id = transport.start({{other, Direction::send, out}, {other, Direction::receive, in}});
  wait_for(transport, id);
  out.add_(1);
  EXPECT_TRUE(at::all(in == 50).item<bool>());
}

void scatter_gives_each_rank_its_value(Transport& transport) {
  for (int root = 0; root < transport.size(); ++root) {
    std::vector<std::uint64_t> values;
    if (transport.rank() == root) {
      for (int to = 0; to < transport.size(); ++to) values.push_back((1ULL << 40) * (root + 1) + to);
    }
    EXPECT_EQ(transport.scatter(values, root), (1ULL << 40) * (root + 1) + transport.rank());
  }
}

void gather_keeps_rank_order(Transport& transport) {
  const auto size_of = [](int rank) { return rank == 1 ? std::size_t{0} : std::size_t{700'000} * (rank + 1); };
  for (int root = 0; root < transport.size(); ++root) {
    const std::vector<Bytes> all = transport.gather(message(size_of(transport.rank()), transport.rank()), root);
    ASSERT_EQ(all.size(), transport.rank() == root ? transport.size() : 0u);
    for (std::size_t from = 0; from < all.size(); ++from) EXPECT_EQ(all[from], message(size_of(from), from));
  }
}

void broadcast_reaches_everybody(Transport& transport) {
  for (int root = 0; root < transport.size(); ++root) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{17}, std::size_t{3'000'000}}) {
      const Bytes mine = transport.rank() == root ? message(size, root) : message(5, 99);
      EXPECT_EQ(transport.broadcast(mine, root), message(size, root));
    }
  }
}

void tensors_are_broadcast(Transport& transport) {
  for (int root = 0; root < transport.size(); ++root) {
    std::array<at::Tensor, 3> data;
    std::array<TransferId, 3> ids{};
    for (int i = 0; i < 3; ++i) {  // all in flight at once
      const std::int64_t bytes = i == 1 ? 5'000'000 : 1 + i;
      data[i] = transport.rank() == root ? pattern(transport, bytes, i) : room(transport, bytes);
      ids[i] = transport.broadcast(data[i], root);
    }
    for (int i = 0; i < 3; ++i) {
      wait_for(transport, ids[i]);
      EXPECT_TRUE(same(data[i], pattern(transport, data[i].numel(), i))) << "tensor " << i << " from " << root;
    }
  }
}

void warm_up_leaves_nothing_behind(Transport& transport) {
  transport.warm_up(1 << 20, Pattern::star);
  transport.warm_up(1 << 10, Pattern::all_pairs);
  transport.barrier();
  EXPECT_FALSE(transport.receive().has_value());
  groups_mix_peers_and_directions(transport);
}

void traffic_counts_what_was_sent(Transport& transport) {
  const Traffic before = transport.traffic();
  const int next = (transport.rank() + 1) % transport.size();
  const int previous = (transport.rank() + transport.size() - 1) % transport.size();
  transport.send(next, message(10, 0));
  transport.send(next, message(0, 0));
  const at::Tensor in = room(transport, 1234);
  wait_for(transport,
           transport.start({{next, Direction::send, pattern(transport, 1234, 0)}, {previous, Direction::receive, in}}));
  next_message(transport);
  next_message(transport);
  const Traffic after = transport.traffic();
  EXPECT_EQ(after.control_messages - before.control_messages, 2u);
  EXPECT_EQ(after.control_bytes - before.control_bytes, 10u);
  EXPECT_EQ(after.carrier_transfers - before.carrier_transfers, 1u);
  EXPECT_EQ(after.carrier_bytes - before.carrier_bytes, 1234u);
  wait_until(transport, [&] { return transport.flushed(); });
}

void misuse_is_refused(Transport& transport) {
  const at::Tensor good = room(transport, 8);
  EXPECT_THROW(transport.send(transport.size(), {}), Error);
  EXPECT_THROW(transport.start({{-1, Direction::send, good}}), Error);
  EXPECT_THROW(transport.start({{0, Direction::send, room(transport, 0)}}), Error);
  EXPECT_THROW(transport.start({{0, Direction::send, good.to(at::kInt)}}), Error);
  EXPECT_THROW(transport.start({{0, Direction::send, room(transport, 16).slice(0, 0, 16, 2)}}), Error);
  EXPECT_THROW(transport.start({{0, Direction::send, at::Tensor()}}), Error);
}

constexpr std::array<Case, 16> kCases{{
    {"MisuseIsRefused", misuse_is_refused},
    {"MessagesKeepTheirOrder", messages_keep_their_order},
    {"MessagesLeaveWithoutTheirReceiver", messages_leave_without_their_receiver},
    {"MessagesMayBeEmpty", messages_may_be_empty},
    {"WarmUpLeavesNothingBehind", warm_up_leaves_nothing_behind},
    {"TransfersOfEverySize", transfers_of_every_size},
    {"GroupsMixPeersAndDirections", groups_mix_peers_and_directions},
    {"ManyGroupsAreInFlight", many_groups_are_in_flight},
    {"HalvesToOneselfMatchInOrder", halves_to_oneself_match_in_order},
    {"ARankWithoutBytesPostsNothing", a_rank_without_bytes_posts_nothing},
    {"TransfersWaitForTheWorkBeforeThem", transfers_wait_for_the_work_before_them},
    {"ScatterGivesEachRankItsValue", scatter_gives_each_rank_its_value},
    {"GatherKeepsRankOrder", gather_keeps_rank_order},
    {"BroadcastReachesEverybody", broadcast_reaches_everybody},
    {"TensorsAreBroadcast", tensors_are_broadcast},
    {"TrafficCountsWhatWasSent", traffic_counts_what_was_sent},
}};

}  // namespace

std::span<const Case> transport_contract() { return kCases; }

}  // namespace trireme::test
