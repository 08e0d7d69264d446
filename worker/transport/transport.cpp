#include "worker/transport/transport.h"

#include "common/errors.h"

namespace trireme {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw Error(ExitCode::internal, what); }

}  // namespace

Bytes to_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void check_rank(const Transport& transport, int rank) {
  if (rank < 0 || rank >= transport.size()) {
    refuse("no rank " + std::to_string(rank) + " among " + std::to_string(transport.size()));
  }
}

void check_scatter(const Transport& transport, std::span<const std::uint64_t> values) {
  if (values.size() != static_cast<std::size_t>(transport.size())) {
    refuse("scatter of " + std::to_string(values.size()) + " values to " + std::to_string(transport.size()) + " ranks");
  }
}

void check_buffer(const Transport& transport, const at::Tensor& data) {
  if (!data.defined() || data.scalar_type() != at::kByte || !data.is_contiguous() || data.numel() == 0) {
    refuse("a transfer buffer must be contiguous uint8 of at least one byte");
  }
  if (data.device() != transport.device()) {
    refuse("a transfer buffer is on " + data.device().str() + ", the " + transport.carrier() + " transport's are on " +
           transport.device().str());
  }
}

void check_group(const Transport& transport, std::span<const Half> group) {
  for (const Half& half : group) {
    check_rank(transport, half.peer);
    check_buffer(transport, half.data);
  }
}

Traffic& Traffic::operator+=(const Traffic& other) {
  control_messages += other.control_messages;
  control_bytes += other.control_bytes;
  carrier_transfers += other.carrier_transfers;
  carrier_bytes += other.carrier_bytes;
  return *this;
}

std::vector<int> peers_of(const Transport& transport, Pattern pattern) {
  std::vector<int> peers;
  for (int peer = 0; peer < transport.size(); ++peer) {
    const bool meets = pattern == Pattern::all_pairs || transport.rank() == 0 || peer == 0;
    if (meets && peer != transport.rank()) peers.push_back(peer);
  }
  return peers;
}

}  // namespace trireme
