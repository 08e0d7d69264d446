#pragma once
// Watches the transfer law on one rank: rank 0 posts a half only after the worker's READY, one for each; a worker posts
// one only after it has said READY and everything it said has left. The groups of the first scatter come before any
// message and are let pass. Throws Error(internal) naming the breach.

#include <map>
#include <string>

#include "common/errors.h"
#include "tests/worker/exchange/forwarding.h"
#include "worker/exchange/messages.h"

namespace trireme {

class LawKeeper : public Forwarding {
 public:
  using Forwarding::Forwarding;

  void send(int to, Bytes body) override {
    in_loop_ = true;
    if (is_ready(body) && rank() != 0) ++readies_[to];
    Forwarding::send(to, std::move(body));
  }
  std::optional<Message> receive() override {
    in_loop_ = true;
    std::optional<Message> message = Forwarding::receive();
    if (message && is_ready(message->body)) ++readies_[message->from];
    return message;
  }
  TransferId start(std::vector<Half> group) override {
    for (const Half& half : group) {
      if (!in_loop_ || half.peer == rank()) continue;
      const std::string whose = "rank " + std::to_string(rank()) + " posted a half to " + std::to_string(half.peer);
      if (readies_[half.peer]-- == 0) throw Error(ExitCode::internal, whose + " without READY");
      if (rank() != 0 && !Forwarding::flushed()) throw Error(ExitCode::internal, whose + " before READY had left");
    }
    return Forwarding::start(std::move(group));
  }

 private:
  static bool is_ready(const Bytes& body) { return std::holds_alternative<message::Ready>(message::decode(body)); }

  bool in_loop_ = false;
  std::map<int, int> readies_;  // said to or heard from a rank, and not yet followed by a half
};

}  // namespace trireme
