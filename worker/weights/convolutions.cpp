#include "worker/weights/convolutions.h"

#include <ATen/ATen.h>

#include "worker/device.h"
#include "worker/kernels/pixels.h"

namespace trireme {
namespace {

/// Where it lies.
void put_channels_last(at::Tensor& kernel) {
  const at::Tensor last = kernel.permute({0, 2, 3, 1}), place = kernel.view(last.sizes());
  place.copy_(last.contiguous());
  kernel = place.permute({0, 3, 1, 2});
}

}  // namespace

std::uint64_t prepare_convolutions(const PartParameters& wanted, at::Device device) {
  if (device.is_cpu()) return 0;
  std::uint64_t added = 0;
  for (const auto& [part, parameters] : wanted) {
    for (at::Tensor* slot : parameters.foldings()) {
      *slot = kernels::fold_doubling(*slot);
      added += slot->nbytes();
    }
    for (const Parameters::Want& want : parameters.wants()) {
      at::Tensor& slot = *want.slot;
      const bool here = want.home == Parameters::Home::device && slot.dim() == 4;
      if (here && slot.size(2) > 1 && slot.is_contiguous()) put_channels_last(slot);
    }
  }
  if (added > 0) device::synchronize(device);
  return added;
}

}  // namespace trireme
