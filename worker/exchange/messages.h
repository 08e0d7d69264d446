#pragma once
// The control messages of the exchange and their bytes: version, kind, fields. See exchange.h for who sends what when.
// `decode` throws Error(internal) on anything that `encode` did not write.

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "common/errors.h"
#include "worker/exchange/exchange.h"
#include "worker/transport/transport.h"

namespace trireme::message {

// Both ways between a worker and rank 0: still there.
struct Pulse {
  std::uint64_t tokens = 0;  // a worker's, written so far
  std::string node;          // of the worker that watches its node; empty: no news
};

// A worker to rank 0.
struct Offer {
  std::uint64_t unit, bytes;  // bytes of the packed results
};
struct Ready {
  std::uint64_t seq;
};
struct Returned {
  std::vector<std::uint64_t> units;  // not begun; rank 0 has kept the units themselves
};
struct Drain {};
struct FinishAck {};

// Rank 0 to a worker.
struct Grant {
  std::uint64_t seq;
  Direction direction;  // the worker's: receive = a refill, send = results
  std::uint64_t unit, bytes;
};
struct Recall {};
struct Finish {
  ExitCode code;
};

using Any = std::variant<Offer, Ready, Returned, Drain, FinishAck, Grant, Recall, Finish, Pulse>;

Bytes encode(const Any& message);
Any decode(std::span<const std::byte> bytes);
/// "OFFER", "GRANT", …: for errors and logs.
const char* name(const Any& message);

}  // namespace trireme::message
