#include "worker/transport/strict_transport.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <tuple>
#include <utility>

#include "common/errors.h"
#include "worker/transport/strict_fibers.h"
#include "worker/transport/strict_queues.h"

namespace trireme::strict {
namespace {

constexpr int kCommunicators = 2;
constexpr int kMostHaste = 8;  // a rank may get so many turns while another gets one

struct Travelling {
  Bytes body;
  std::uint64_t leaves_at = 0, arrives_at = 0;
  TransferId held_by = 0;  // a group posted before this left; 0 = none
};

/// Consecutive ranks.
struct Members {
  int first = 0, count = 1;
};

/// What all ranks share.
class World {
 public:
  World(const Settings& settings, const Body& body);
  void run();

  std::uint64_t delay() { return random_() % static_cast<std::uint64_t>(settings_.longest_delay + 1); }
  int ranks() const { return settings_.ranks; }
  void happened() { quiet_turns_ = 0; }
  void give_turn_back() { fibers_.yield(); }

  void send(int communicator, int from, int to, Bytes body);
  std::optional<Message> receive(int communicator, int rank);
  bool flushed(int communicator, int rank) const;
  TransferId start(int communicator, int rank, std::vector<Half> group);
  bool complete(TransferId id) const { return queues_.complete(id); }
  /// Collective: everybody's bytes, in rank order.
  std::vector<Bytes> share(int communicator, Members members, int rank, Bytes mine);

 private:
  using Pair = std::tuple<int, int, int>;  // communicator, to, from
  struct Round {
    std::vector<std::optional<Bytes>> given;
    int arrived = 0, read = 0;
  };
  bool left(const Travelling& message) const {
    return message.held_by != 0 ? queues_.complete(message.held_by) : message.leaves_at <= now_;
  }
  /// Not where it must post the other half of a copy to itself: that is in no queue of the carrier's.
  bool stands_still(std::size_t rank) const {
    return queues_.running(stands_behind_[rank]) && !queues_.waits_for_itself(static_cast<int>(rank));
  }
  std::size_t next_rank();
  [[noreturn]] void fail(const std::string& what) const;

  Settings settings_;
  std::mt19937_64 random_;
  Queues queues_;
  std::uint64_t now_ = 0, quiet_turns_ = 0;
  std::map<Pair, std::deque<Travelling>> messages_;
  std::map<std::pair<int, int>, std::uint64_t> rounds_begun_;    // of a communicator and rank
  std::map<std::tuple<int, int, std::uint64_t>, Round> rounds_;  // of a communicator and its first member
  std::vector<int> haste_;                                       // of each rank, 1 to kMostHaste
  std::vector<TransferId> stands_behind_;                        // the group that a rank's host stands still behind
  std::vector<std::string> waits_;                               // what a rank waits for, for the report
  Fibers fibers_;
};

class StrictTransport final : public Transport {
 public:
  /// `rank`: among all.
  StrictTransport(World& world, int communicator, Members members, int rank)
      : world_(world), communicator_(communicator), members_(members), rank_(rank) {}

  int rank() const override { return rank_ - members_.first; }
  int size() const override { return members_.count; }
  const char* carrier() const override { return "strict"; }
  at::Device device() const override { return at::kCPU; }
  Traffic traffic() const override { return traffic_; }

  void send(int to, Bytes body) override {
    check_rank(*this, to);
    ++traffic_.control_messages;
    traffic_.control_bytes += body.size();
    world_.send(communicator_, rank_, members_.first + to, std::move(body));
  }
  std::optional<Message> receive() override {
    std::optional<Message> message = world_.receive(communicator_, rank_);
    if (message) message->from -= members_.first;
    return message;
  }
  bool flushed() override { return world_.flushed(communicator_, rank_); }

  TransferId start(std::vector<Half> group) override {
    check_group(*this, group);
    for (Half& half : group) {
      half.peer += members_.first;
      if (half.direction != Direction::send) continue;
      ++traffic_.carrier_transfers;
      traffic_.carrier_bytes += half.data.nbytes();
    }
    return world_.start(communicator_, rank_, std::move(group));
  }
  bool done(TransferId id) override { return world_.complete(id); }
  void progress() override { world_.give_turn_back(); }

  void barrier() override { share({}); }
  std::uint64_t scatter(std::span<const std::uint64_t> values, int root) override {
    check_rank(*this, root);
    if (rank() == root) check_scatter(*this, values);
    const std::span<const std::byte> bytes = std::as_bytes(values);
    const Bytes all = share({bytes.begin(), bytes.end()})[root];
    std::uint64_t mine;
    std::memcpy(&mine, all.data() + rank() * sizeof mine, sizeof mine);
    return mine;
  }
  std::vector<Bytes> gather(const Bytes& mine, int root) override {
    check_rank(*this, root);
    std::vector<Bytes> all = share(mine);
    return rank() == root ? all : std::vector<Bytes>{};
  }
  Bytes broadcast(Bytes bytes, int root) override {
    check_rank(*this, root);
    return share(std::move(bytes))[root];
  }
  TransferId broadcast(at::Tensor data, int root) override {
    check_rank(*this, root);
    std::vector<Half> group;
    if (rank() != root) group.push_back({root, Direction::receive, data});
    for (int peer = 0; rank() == root && peer < size(); ++peer) {
      if (peer != root) group.push_back({peer, Direction::send, data});
    }
    return start(std::move(group));
  }
  void warm_up(std::size_t bytes, Pattern pattern) override {
    std::vector<Half> group;
    for (const int peer : peers_of(*this, pattern)) {
      for (const Direction direction : {Direction::send, Direction::receive}) {
        group.push_back({peer, direction, at::zeros({static_cast<std::int64_t>(bytes)}, at::kByte)});
      }
    }
    const TransferId id = start(std::move(group));
    while (!done(id)) progress();
  }

 private:
  std::vector<Bytes> share(Bytes mine) { return world_.share(communicator_, members_, rank_, std::move(mine)); }

  World& world_;
  int communicator_;
  Members members_;
  int rank_;
  Traffic traffic_;
};

World::World(const Settings& settings, const Body& body)
    : settings_(settings),
      random_(settings.seed),
      queues_(settings.ranks, kCommunicators, [this] { return delay(); }),
      stands_behind_(static_cast<std::size_t>(settings.ranks)),
      waits_(static_cast<std::size_t>(settings.ranks)),
      fibers_(static_cast<std::size_t>(settings.ranks), [this, &body](std::size_t rank) {
        const int all = settings_.ranks, mine = static_cast<int>(rank);
        const int each = settings_.ranks_per_replica == 0 ? all : settings_.ranks_per_replica;
        StrictTransport exchange(*this, 0, {0, all}, mine), replica(*this, 1, {mine / each * each, each}, mine);
        body(exchange, replica);
      }) {
  for (int rank = 0; rank < settings.ranks; ++rank) haste_.push_back(1 + static_cast<int>(random_() % kMostHaste));
}

std::size_t World::next_rank() {
  while (true) {
    const std::size_t rank = random_() % fibers_.count();
    if (!fibers_.ended(rank) && static_cast<int>(random_() % kMostHaste) < haste_[rank]) return rank;
  }
}

void World::run() {
  const auto patience = static_cast<std::uint64_t>(settings_.patience) * fibers_.count();
  std::size_t ended = 0;
  while (ended < fibers_.count()) {
    const std::size_t rank = next_rank();
    if (!stands_still(rank)) {
      queues_.launch(static_cast<int>(rank));
      fibers_.resume(rank);
    }
    ++now_;
    if (fibers_.ended(rank)) {
      ++ended;
      happened();
    }
    if (queues_.advance(now_)) happened();
    if (++quiet_turns_ > patience) fail("stall: no transfer has moved for " + std::to_string(patience) + " turns");
  }
  if (!queues_.empty()) fail("every rank has ended and transfers are left");
  for (const auto& [pair, queue] : messages_) {
    if (!queue.empty()) fail("every rank has ended and messages are left");
  }
}

void World::fail(const std::string& what) const {
  std::string text = "strict, seed " + std::to_string(settings_.seed) + ": " + what + "\n" + queues_.describe();
  for (const auto& [pair, queue] : messages_) {
    if (queue.empty()) continue;
    const auto& [communicator, to, from] = pair;
    text += "  " + std::to_string(queue.size()) + " messages from rank " + std::to_string(from) + " to rank " +
            std::to_string(to) + (left(queue.front()) ? "" : ", held until a group of the sender is complete") + "\n";
  }
  for (std::size_t rank = 0; rank < stands_behind_.size(); ++rank) {
    if (stands_still(rank)) text += "  rank " + std::to_string(rank) + " stands still behind its group\n";
  }
  for (std::size_t rank = 0; rank < waits_.size(); ++rank) {
    if (!waits_[rank].empty()) text += "  rank " + std::to_string(rank) + " waits in " + waits_[rank] + "\n";
  }
  throw Error(ExitCode::internal, text);
}

void World::send(int communicator, int from, int to, Bytes body) {
  const std::uint64_t leaves_at = now_ + delay();
  messages_[{communicator, to, from}].push_back({std::move(body), leaves_at, leaves_at + delay()});
}

std::optional<Message> World::receive(int communicator, int rank) {
  const int first = static_cast<int>(random_() % fibers_.count());
  for (int i = 0; i < ranks(); ++i) {
    const int from = (first + i) % ranks();
    const auto found = messages_.find({communicator, rank, from});
    if (found == messages_.end() || found->second.empty()) continue;
    Travelling& message = found->second.front();
    if (!left(message) || message.arrives_at > now_) continue;
    Message received{from, std::move(message.body)};
    found->second.pop_front();
    return received;
  }
  return std::nullopt;
}

bool World::flushed(int communicator, int rank) const {
  if (!queues_.launched(communicator, rank)) return false;
  for (int to = 0; to < ranks(); ++to) {
    const auto found = messages_.find({communicator, to, rank});
    if (found == messages_.end()) continue;
    if (!std::all_of(found->second.begin(), found->second.end(), [&](const auto& m) { return left(m); })) return false;
  }
  return true;
}

TransferId World::start(int communicator, int rank, std::vector<Half> group) {
  const bool empty = group.empty();
  const bool waits = std::any_of(group.begin(), group.end(), [&](const Half& half) { return half.peer != rank; });
  const TransferId id = queues_.post(communicator, rank, std::move(group));
  happened();
  if (empty) return id;
  for (auto& [pair, queue] : messages_) {
    if (std::get<2>(pair) != rank || std::get<1>(pair) == rank) continue;
    for (Travelling& message : queue) {
      if (!left(message)) message.held_by = id;
    }
  }
  if (const auto cycle = queues_.cycle()) fail("cycle: " + *cycle);
  if (settings_.hosts_stand_still && waits && random_() % 2 == 0) stands_behind_[static_cast<std::size_t>(rank)] = id;
  return id;
}

std::vector<Bytes> World::share(int communicator, Members members, int rank, Bytes mine) {
  const std::uint64_t number = rounds_begun_[{communicator, rank}]++;
  Round& round = rounds_[{communicator, members.first, number}];
  round.given.resize(static_cast<std::size_t>(members.count));
  round.given[rank - members.first] = std::move(mine);
  ++round.arrived;
  happened();
  waits_[rank] = "a collective call, number " + std::to_string(number);
  while (round.arrived < members.count) give_turn_back();
  waits_[rank].clear();
  std::vector<Bytes> all;
  for (const auto& given : round.given) all.push_back(*given);
  if (++round.read == members.count) rounds_.erase({communicator, members.first, number});
  return all;
}

}  // namespace

void run(const Settings& settings, const Body& body) { World(settings, body).run(); }

}  // namespace trireme::strict
