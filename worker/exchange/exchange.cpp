#include "worker/exchange/exchange.h"

#include <numeric>
#include <thread>
#include <utility>

#include "common/steady_clock.h"
#include "worker/device.h"
#include "worker/exchange/codec.h"
#include "worker/exchange/messages.h"
#include "worker/exchange/rank_zero_side.h"
#include "worker/exchange/worker_side.h"

namespace trireme {
namespace {

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

}  // namespace

struct Exchange::Impl {
  Impl(Transport& transport, Settings settings)
      : transport(transport),
        layout{transport.size(), settings.layout.stages, settings.layout.guidance},
        clock(settings.clock ? std::move(settings.clock) : steady_seconds),
        stream(transport.device(), /*high_priority=*/true),
        worker(transport, layout.ranks_per_replica() == 1,
               settings.places && transport.rank() > 0 && layout.replica_of(transport.rank()) == 0, settings.replica),
        heard(static_cast<std::size_t>(transport.size()), clock()),
        tokens(static_cast<std::size_t>(transport.size())) {
    if (transport.rank() == 0) {
      rank_zero.emplace(transport, layout, settings.pool_bytes, clock, settings.replica);
      if (settings.places) rank_zero->leave_places_to_engine();
    }
  }

  void handle(const Message& received);
  void dispatch(int from, const message::Any& message);
  std::vector<Half> shares_to_send(const std::vector<std::vector<Unit>>& shares, std::vector<std::uint64_t>& sizes,
                                   std::vector<at::Tensor>& staged);
  RankZeroSide& coordinator();
  bool ending() const { return worker.acknowledged() || (rank_zero && rank_zero->finishing()); }

  Transport& transport;
  const Layout layout;
  std::function<double()> clock;
  device::Stream stream;
  WorkerSide worker;
  std::optional<RankZeroSide> rank_zero;
  std::vector<double> heard;          // when, of each rank
  std::vector<std::uint64_t> tokens;  // of each rank, by its last pulse
  std::map<int, std::string> nodes;   // the same, of those that have sent any
};

RankZeroSide& Exchange::Impl::coordinator() {
  if (!rank_zero)
    throw Error(ExitCode::internal, "only rank 0 coordinates, this is " + std::to_string(transport.rank()));
  return *rank_zero;
}

void Exchange::Impl::handle(const Message& received) {
  heard[static_cast<std::size_t>(received.from)] = clock();
  const char* name = "a message";
  try {
    const message::Any message = message::decode(received.body);
    name = message::name(message);
    dispatch(received.from, message);
  } catch (const Error& error) {
    throw Error(error.code(), std::string(name) + " from rank " + std::to_string(received.from) + ": " + error.what());
  }
}

void Exchange::Impl::dispatch(int from, const message::Any& message) {
  const auto to_rank_zero = [&](const auto& m) {
    if (!rank_zero) throw Error(ExitCode::internal, "only rank 0 is told this");
    rank_zero->handle(from, m);
  };
  const auto to_worker = [&](const auto& m) {
    if (from != 0) throw Error(ExitCode::internal, "only rank 0 may say this");
    worker.handle(m);
  };
  std::visit(
      Overloaded{[&](const message::Offer& m) { to_rank_zero(m); }, [&](const message::Ready& m) { to_rank_zero(m); },
                 [&](const message::Returned& m) { to_rank_zero(m); },
                 [&](const message::Drain& m) { to_rank_zero(m); },
                 [&](const message::FinishAck& m) { to_rank_zero(m); }, [&](const message::Grant& m) { to_worker(m); },
                 [&](const message::Recall& m) { to_worker(m); }, [&](const message::Finish& m) { to_worker(m); },
                 [&](const message::Pulse& m) {
                   if (!rank_zero && from != 0) throw Error(ExitCode::internal, "only rank 0 may say this");
                   tokens[static_cast<std::size_t>(from)] = m.tokens;
                   if (!m.node.empty()) nodes[from] = m.node;
                 }},
      message);
}

Exchange::Exchange(Transport& transport, Settings settings)
    : impl_(std::make_unique<Impl>(transport, std::move(settings))) {}
Exchange::~Exchange() = default;

std::vector<Half> Exchange::Impl::shares_to_send(const std::vector<std::vector<Unit>>& shares,
                                                 std::vector<std::uint64_t>& sizes, std::vector<at::Tensor>& staged) {
  if (shares.size() != static_cast<std::size_t>(layout.replicas())) {
    throw Error(ExitCode::internal,
                std::to_string(shares.size()) + " first shares for " + std::to_string(layout.replicas()) + " replicas");
  }
  sizes.assign(static_cast<std::size_t>(transport.size()), 0);
  std::vector<Half> halves;
  for (int replica = 0; replica < layout.replicas(); ++replica) {
    const std::vector<Unit>& share = shares[static_cast<std::size_t>(replica)];
    if (share.empty()) continue;
    const int rank = layout.first_rank(replica);
    rank_zero->sent(replica, share);
    const at::Tensor bytes = codec::upload(codec::encode_units(share), transport.device(), staged.emplace_back());
    sizes[static_cast<std::size_t>(rank)] = bytes.nbytes();
    halves.push_back({rank, Direction::send, bytes});
  }
  return halves;
}

void Exchange::scatter_first(const std::vector<std::vector<Unit>>& shares) {
  Transport& transport = impl_->transport;
  const device::StreamGuard guard(impl_->stream);
  std::vector<std::uint64_t> sizes;
  std::vector<at::Tensor> staged;
  std::vector<Half> halves;
  if (transport.rank() == 0) halves = impl_->shares_to_send(shares, sizes, staged);
  const std::uint64_t size = transport.scatter(sizes, 0);
  at::Tensor mine;
  if (size > 0) {
    mine = at::empty({static_cast<std::int64_t>(size)}, at::TensorOptions(at::kByte).device(transport.device()));
    halves.push_back({0, Direction::receive, mine});
  }
  if (!halves.empty()) {
    const TransferId id = transport.start(std::move(halves));
    while (!transport.done(id)) {
      transport.progress();
      std::this_thread::yield();
    }
  }
  if (size > 0) {
    device::Event copied;
    const at::Tensor host = codec::download(mine, copied);
    while (!copied.done()) std::this_thread::yield();
    impl_->worker.arrive(codec::decode_units(codec::view(host)));
  }
  for (double& heard : impl_->heard) heard = impl_->clock();
}

bool Exchange::progress() {
  const device::StreamGuard guard(impl_->stream);
  bool moved = false;
  impl_->transport.progress();
  while (const std::optional<Message> received = impl_->transport.receive()) {
    impl_->handle(*received);
    moved = true;
  }
  moved |= impl_->worker.progress();
  if (impl_->rank_zero) moved |= impl_->rank_zero->progress();
  return moved;
}

std::optional<Unit> Exchange::next_unit() { return impl_->worker.next_unit(); }
void Exchange::offer(Finished finished) { impl_->worker.offer(finished); }
bool Exchange::recall_wanted() { return impl_->worker.recall_wanted(); }
void Exchange::return_units(std::vector<Unit> units) { impl_->worker.return_units(std::move(units)); }

void Exchange::ask_to_drain() {
  if (!impl_->ending()) impl_->transport.send(0, message::encode(message::Drain{}));
}

void Exchange::send_pulse(std::uint64_t tokens, std::string node) {
  if (impl_->ending()) return;  // nobody listens any more
  Transport& transport = impl_->transport;
  impl_->tokens[static_cast<std::size_t>(transport.rank())] = tokens;
  if (transport.rank() != 0) {
    transport.send(0, message::encode(message::Pulse{tokens, std::move(node)}));
  } else if (!node.empty()) {
    impl_->nodes[0] = std::move(node);
  }
  for (int rank = 1; transport.rank() == 0 && rank < transport.size(); ++rank) {
    transport.send(rank, message::encode(message::Pulse{}));
  }
}

double Exchange::seconds_since_heard_from(int rank) const {
  check_rank(impl_->transport, rank);
  if (rank == impl_->transport.rank()) return 0;
  return impl_->clock() - impl_->heard[static_cast<std::size_t>(rank)];
}

std::uint64_t Exchange::tokens() const {
  return std::accumulate(impl_->tokens.begin(), impl_->tokens.end(), std::uint64_t{0});
}

const std::map<int, std::string>& Exchange::nodes() const { return impl_->nodes; }

bool Exchange::flushed() { return impl_->transport.flushed(); }

std::vector<Exchange::Placeless> Exchange::transfers_without_place() {
  return impl_->rank_zero ? impl_->rank_zero->transfers_without_place() : std::vector<Placeless>();
}

void Exchange::post_transfer(std::uint64_t seq) {
  const device::StreamGuard guard(impl_->stream);
  impl_->rank_zero ? impl_->rank_zero->post_transfer(seq) : impl_->worker.post_transfer(seq);
}

bool Exchange::must_post() const { return impl_->worker.must_post(); }

bool Exchange::outstanding() const {
  return impl_->worker.outstanding() || (impl_->rank_zero && impl_->rank_zero->outstanding());
}

bool Exchange::finished() const {
  if (!impl_->worker.acknowledged()) return false;
  return impl_->rank_zero ? impl_->rank_zero->all_acknowledged() : impl_->transport.flushed();
}

ExitCode Exchange::exit_code() const { return impl_->worker.exit_code(); }

void Exchange::refill(int replica, Unit unit) { impl_->coordinator().refill(replica, std::move(unit)); }

std::optional<Delivery> Exchange::take_delivery() { return impl_->coordinator().take_delivery(); }

void Exchange::recall(int replica) { impl_->coordinator().recall(replica); }
std::optional<Exchange::Returned> Exchange::take_returned() { return impl_->coordinator().take_returned(); }
bool Exchange::drain_asked() const { return impl_->coordinator().drain_asked(); }

void Exchange::finish(ExitCode code) { impl_->coordinator().finish(code); }

}  // namespace trireme
