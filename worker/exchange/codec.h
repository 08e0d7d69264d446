#pragma once
// What travels over the carrier, as bytes: units to a replica, and a unit's results back as one packet:
//
//   length of the header (u64) | header | picture or tensor, each at a multiple of 64 bytes, in the header's order
//
// A packet is packed where it will be sent from, so that results need not pass through the host on their way. Decoding
// trusts nothing: Error(internal) says what does not fit.

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "worker/device.h"
#include "worker/engine/engine.h"
#include "worker/transport/transport.h"

namespace trireme::codec {

Bytes encode_units(std::span<const Unit> units);
std::vector<Unit> decode_units(std::span<const std::byte> bytes);

/// Packed results. `bytes` may be sent once `packed` is done.
struct Packet {
  at::Tensor bytes;   // uint8 on the transport's device
  at::Tensor header;  // host memory the device copies from until `packed` is done
  device::Event packed;
};

/// Enqueues the copies on the current stream and does not wait. `destination` is the transport's device; where that is
/// the CPU and the results are on a GPU, the packet is in pinned memory. Pictures must be uint8, tensors float32 or
/// int64.
Packet pack(const Finished& finished, at::Device destination);

struct Unpacked {
  std::uint64_t unit = 0;  // Unit::index
  PhaseSeconds seconds{};
  std::vector<Result> results;  // views of the packet
};

/// `packet`: uint8 on the CPU, complete.
Unpacked unpack(const at::Tensor& packet);

/// The bytes of a contiguous uint8 tensor on the CPU.
std::span<const std::byte> view(const at::Tensor& host);
/// Bytes on `device`, through pinned memory on a GPU: enqueued on the current stream, `staged` must outlive the copy.
at::Tensor upload(std::span<const std::byte> bytes, at::Device device, at::Tensor& staged);
/// The same bytes on the CPU, complete when `copied` is done; `bytes` itself where it is there already.
at::Tensor download(const at::Tensor& bytes, device::Event& copied);

}  // namespace trireme::codec
