#include "worker/weights/storage.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <new>
#include <set>

#include "worker/device.h"
#include "worker/weights/weight_stream.h"

namespace trireme {
namespace {

constexpr std::size_t kAlignment = 256;

std::uint64_t aligned(std::uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

std::vector<std::int64_t> slot_shape(const Parameters::Want& want) {
  std::vector<std::int64_t> shape = want.shape;
  if (!shape.empty()) shape[0] = want.part.rows > 0 ? want.part.rows : want.rows;
  if (want.part.columns > 0) shape.back() = want.part.columns;
  return shape;
}

std::uint64_t slot_bytes(const std::vector<std::int64_t>& shape, at::ScalarType dtype) {
  std::uint64_t bytes = at::elementSize(dtype);
  for (const std::int64_t size : shape) bytes *= static_cast<std::uint64_t>(size);
  return bytes;
}

}  // namespace

at::Tensor parameter_storage(at::IntArrayRef shape, at::ScalarType dtype, at::Device device) {
  // CUDA's allocator hands out multiples of 512 bytes; the CPU's only of 64.
  if (device.is_cuda()) return at::empty(shape, at::TensorOptions(dtype).device(device));
  std::size_t bytes = at::elementSize(dtype);
  for (const std::int64_t size : shape) bytes *= static_cast<std::size_t>(size);
  void* memory = std::aligned_alloc(kAlignment, (bytes / kAlignment + 1) * kAlignment);
  if (memory == nullptr) throw std::bad_alloc();
  return at::from_blob(
      memory, shape, [](void* p) { std::free(p); }, at::TensorOptions(dtype));
}

at::Tensor filled_part(const Parameters::Want& want) {
  if (want.part.rows == 0) return *want.slot;
  const at::Tensor rows = want.slot->narrow(0, want.part.first_row, want.rows);
  return want.part.columns == 0 ? rows : rows.narrow(1, 0, want.shape.back());
}

void for_each_slot(const PartParameters& wanted,
                   const std::function<void(const Parameters::Want&, const std::vector<std::int64_t>&)>& visit) {
  std::set<const at::Tensor*> shared;
  for (const auto& [part, parameters] : wanted) {
    for (const Parameters::Want& want : parameters.wants()) {
      if (want.part.rows > 0 && !shared.insert(want.slot).second) continue;
      visit(want, slot_shape(want));
    }
  }
}

ParameterBytes count_bytes(const PartParameters& wanted, at::ScalarType dtype) {
  std::map<const HostLayer*, std::uint64_t> layers;
  ParameterBytes bytes;
  for_each_slot(wanted, [&](const Parameters::Want& want, const std::vector<std::int64_t>& shape) {
    const std::uint64_t size = slot_bytes(shape, dtype);
    if (want.home == Parameters::Home::device) bytes.device += size;
    if (want.home == Parameters::Home::host) bytes.host += size;
    if (want.home == Parameters::Home::layer) layers[want.layer] += aligned(size);
  });
  std::map<const void*, std::uint64_t> largest;  // of each chain
  for (const auto& [layer, size] : layers) {
    bytes.host += size;
    largest[layer->chain] = std::max(largest[layer->chain], size);
  }
  for (const auto& [chain, size] : largest) bytes.device += kStreamBuffers * size;
  return bytes;
}

std::uint64_t allocate_parameters(const PartParameters& wanted, at::ScalarType dtype, at::Device device) {
  std::uint64_t bytes = 0;
  std::map<HostLayer*, std::uint64_t> layers;
  for_each_slot(wanted, [&](const Parameters::Want& want, const std::vector<std::int64_t>& shape) {
    bytes += slot_bytes(shape, dtype);
    if (want.home == Parameters::Home::layer) {
      std::uint64_t& size = layers[want.layer];
      want.layer->slots.push_back({want.slot, static_cast<std::int64_t>(size)});
      size += aligned(slot_bytes(shape, dtype));
      return;
    }
    *want.slot = parameter_storage(shape, dtype, want.home == Parameters::Home::host ? at::Device(at::kCPU) : device);
    if (want.part.rows > 0) want.slot->zero_();
  });
  for (const auto& [layer, size] : layers) layer->block = device::locked_memory(size, device);
  std::map<const at::Tensor*, std::int64_t> offsets;
  for (const auto& [layer, size] : layers) {
    for (const HostLayer::Slot& slot : layer->slots) offsets[slot.tensor] = slot.offset;
  }
  for_each_slot(wanted, [&](const Parameters::Want& want, const std::vector<std::int64_t>& shape) {
    if (want.home != Parameters::Home::layer) return;
    const auto size = static_cast<std::int64_t>(slot_bytes(shape, dtype));
    *want.slot = want.layer->block.narrow(0, offsets.at(want.slot), size).view(dtype).view(shape);
    if (want.part.rows > 0) want.slot->zero_();
  });
  return bytes;
}

}  // namespace trireme
