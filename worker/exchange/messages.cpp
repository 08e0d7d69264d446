#include "worker/exchange/messages.h"

#include <array>

#include "worker/transport/wire.h"

namespace trireme::message {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::array kNames = {"OFFER", "READY",  "RETURNED", "DRAIN", "FINISHED-ACK",
                               "GRANT", "RECALL", "FINISH",   "PULSE"};
static_assert(kNames.size() == std::variant_size_v<Any>);

constexpr std::array kExitCodes = {ExitCode::ok,
                                   ExitCode::some_items_failed,
                                   ExitCode::usage,
                                   ExitCode::bad_data,
                                   ExitCode::input_missing,
                                   ExitCode::unavailable,
                                   ExitCode::internal,
                                   ExitCode::cannot_create,
                                   ExitCode::io_error,
                                   ExitCode::stopped_early,
                                   ExitCode::config};

void write(wire::Writer& out, const Offer& m) {
  out.number(m.unit);
  out.number(m.bytes);
}
void read(wire::Reader& in, Offer& m) {
  m.unit = in.number<std::uint64_t>();
  m.bytes = in.number<std::uint64_t>();
}

void write(wire::Writer& out, const Ready& m) { out.number(m.seq); }
void read(wire::Reader& in, Ready& m) { m.seq = in.number<std::uint64_t>(); }

void write(wire::Writer& out, const Returned& m) {
  out.number<std::uint64_t>(m.units.size());
  for (const std::uint64_t unit : m.units) out.number(unit);
}
void read(wire::Reader& in, Returned& m) {
  m.units.resize(in.count(sizeof(std::uint64_t)));
  for (std::uint64_t& unit : m.units) unit = in.number<std::uint64_t>();
}

void write(wire::Writer&, const Drain&) {}
void read(wire::Reader&, Drain&) {}
void write(wire::Writer&, const FinishAck&) {}
void read(wire::Reader&, FinishAck&) {}
void write(wire::Writer&, const Recall&) {}
void read(wire::Reader&, Recall&) {}
void write(wire::Writer& out, const Pulse& m) {
  out.number(m.tokens);
  out.text(m.node);
}
void read(wire::Reader& in, Pulse& m) {
  m.tokens = in.number<std::uint64_t>();
  m.node = in.text();
}

void write(wire::Writer& out, const Grant& m) {
  out.number(m.seq);
  out.number<std::uint8_t>(m.direction == Direction::send ? 0 : 1);
  out.number(m.unit);
  out.number(m.bytes);
}
void read(wire::Reader& in, Grant& m) {
  m.seq = in.number<std::uint64_t>();
  const auto direction = in.number<std::uint8_t>();
  if (direction > 1) in.fail("a direction, found " + std::to_string(direction));
  m.direction = direction == 0 ? Direction::send : Direction::receive;
  m.unit = in.number<std::uint64_t>();
  m.bytes = in.number<std::uint64_t>();
  if (m.bytes == 0) in.fail("at least one byte to transfer");
}

void write(wire::Writer& out, const Finish& m) { out.number<std::int32_t>(static_cast<int>(m.code)); }
void read(wire::Reader& in, Finish& m) {
  const auto value = in.number<std::int32_t>();
  for (const ExitCode code : kExitCodes) {
    if (static_cast<int>(code) == value) {
      m.code = code;
      return;
    }
  }
  in.fail("an exit code, found " + std::to_string(value));
}

}  // namespace

Bytes encode(const Any& message) {
  wire::Writer out;
  out.number(kVersion);
  out.number(static_cast<std::uint8_t>(message.index()));
  std::visit([&](const auto& m) { write(out, m); }, message);
  return out.take();
}

Any decode(std::span<const std::byte> bytes) {
  wire::Reader in(bytes, "control message");
  const auto version = in.number<std::uint8_t>();
  if (version != kVersion) {
    in.fail("version " + std::to_string(kVersion) + ", found " + std::to_string(version) +
            ": are all ranks the same program?");
  }
  const auto kind = in.number<std::uint8_t>();
  return wire::read_alternative<Any>(kind, in, [](wire::Reader& from, auto& message) { read(from, message); });
}

const char* name(const Any& message) { return kNames[message.index()]; }

}  // namespace trireme::message
