#include "worker/weights/storage.h"

#include <ATen/ATen.h>

#include <cstdlib>
#include <new>
#include <set>

namespace trireme {
namespace {

constexpr std::size_t kAlignment = 256;

std::vector<std::int64_t> slot_shape(const Parameters::Want& want) {
  std::vector<std::int64_t> shape = want.shape;
  if (!shape.empty()) shape[0] = want.part.rows > 0 ? want.part.rows : want.rows;
  if (want.part.columns > 0) shape.back() = want.part.columns;
  return shape;
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

std::uint64_t allocate_parameters(const PartParameters& wanted, at::ScalarType dtype, at::Device device) {
  std::uint64_t bytes = 0;
  for_each_slot(wanted, [&](const Parameters::Want& want, const std::vector<std::int64_t>& shape) {
    *want.slot = parameter_storage(shape, dtype, device);
    if (want.part.rows > 0) want.slot->zero_();
    bytes += want.slot->nbytes();
  });
  return bytes;
}

}  // namespace trireme
