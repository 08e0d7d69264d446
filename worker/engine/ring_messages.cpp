#include "worker/engine/ring_messages.h"

#include "worker/transport/wire.h"

namespace trireme::ring {
namespace {

constexpr std::size_t kSmallestShape = 9;

void write(wire::Writer& out, const TensorShape& shape) {
  out.number(static_cast<std::int8_t>(shape.dtype));
  out.number<std::uint64_t>(shape.sizes.size());
  for (const std::int64_t size : shape.sizes) out.number(size);
}

TensorShape read_shape(wire::Reader& in) {
  TensorShape shape;
  shape.dtype = static_cast<at::ScalarType>(in.number<std::int8_t>());
  shape.sizes.resize(in.count(sizeof(std::int64_t)));
  for (std::int64_t& size : shape.sizes) size = in.number<std::int64_t>();
  return shape;
}

bool read_flag(wire::Reader& in) { return in.number<std::uint8_t>() != 0; }

void write(wire::Writer& out, const Rider& rider) {
  out.number(rider.unit);
  out.number(rider.stage);
  write(out, rider.state);
}

Rider read_rider(wire::Reader& in) {
  Rider rider;
  rider.unit = in.number<std::uint64_t>();
  rider.stage = in.number<std::int32_t>();
  rider.state = read_shape(in);
  return rider;
}

void write(wire::Writer& out, const Slot& m) {
  out.number(static_cast<std::uint8_t>(m.kind));
  out.number(m.number);
  out.number(m.unit);
  out.number(m.half);
  out.number(m.pass);
  out.number<std::uint8_t>(m.last_half);
  out.number<std::uint8_t>(m.last_pass);
  out.number(m.finisher);
  out.number<std::uint64_t>(m.forward.size());
  for (const TensorShape& shape : m.forward) write(out, shape);
  out.number<std::uint8_t>(m.back.has_value());
  if (m.back) write(out, *m.back);
  out.number<std::uint8_t>(m.admits.has_value());
  if (m.admits) out.text(*m.admits);
  out.text(m.note);
  out.text(m.error);
  out.number<std::uint8_t>(m.rider.has_value());
  if (m.rider) write(out, *m.rider);
  out.number<std::uint64_t>(m.transfers.size());
  for (const Transfer& transfer : m.transfers) {
    out.number(transfer.stage);
    out.number(transfer.seq);
  }
}

void read(wire::Reader& in, Slot& m) {
  const auto kind = in.number<std::uint8_t>();
  if (kind > static_cast<std::uint8_t>(SlotKind::stop)) in.fail("a kind of slot, found " + std::to_string(kind));
  m.kind = static_cast<SlotKind>(kind);
  m.number = in.number<std::uint64_t>();
  m.unit = in.number<std::uint64_t>();
  m.half = in.number<std::int32_t>();
  m.pass = in.number<std::int32_t>();
  m.last_half = read_flag(in);
  m.last_pass = read_flag(in);
  m.finisher = in.number<std::int32_t>();
  m.forward.resize(in.count(kSmallestShape));
  for (TensorShape& shape : m.forward) shape = read_shape(in);
  if (read_flag(in)) m.back = read_shape(in);
  if (read_flag(in)) m.admits = in.text();
  m.note = in.text();
  m.error = in.text();
  if (read_flag(in)) m.rider = read_rider(in);
  m.transfers.resize(in.count(sizeof(std::int32_t) + sizeof(std::uint64_t)));
  for (Transfer& transfer : m.transfers) {
    transfer.stage = in.number<std::int32_t>();
    transfer.seq = in.number<std::uint64_t>();
  }
}

void write(wire::Writer& out, const Trouble& m) {
  out.number(m.unit);
  out.text(m.error);
}
void read(wire::Reader& in, Trouble& m) {
  m.unit = in.number<std::uint64_t>();
  m.error = in.text();
}
void write(wire::Writer& out, const Ended& m) { out.number(m.unit); }
void read(wire::Reader& in, Ended& m) { m.unit = in.number<std::uint64_t>(); }
void write(wire::Writer& out, const Verdict& m) {
  out.number(m.unit);
  out.text(m.error);
}
void read(wire::Reader& in, Verdict& m) {
  m.unit = in.number<std::uint64_t>();
  m.error = in.text();
}
void write(wire::Writer&, const Stopped&) {}
void read(wire::Reader&, Stopped&) {}

}  // namespace

Bytes encode(const Any& message) {
  wire::Writer out;
  out.number(static_cast<std::uint8_t>(message.index()));
  std::visit([&](const auto& m) { write(out, m); }, message);
  return out.take();
}

Any decode(std::span<const std::byte> bytes) {
  wire::Reader in(bytes, "message of a stage");
  const auto kind = in.number<std::uint8_t>();
  return wire::read_alternative<Any>(kind, in, [](wire::Reader& from, auto& message) { read(from, message); });
}

}  // namespace trireme::ring
