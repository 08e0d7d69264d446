#include "worker/weights/pairs.h"

#include <ATen/ATen.h>

#include "common/log.h"
#include "worker/device.h"
#include "worker/kernels/gated_product.h"

namespace trireme {

void put_in_pairs(const PartParameters& wanted, at::Device device) {
  std::uint64_t ordered = 0, asked = 0;
  for (const auto& [part, parameters] : wanted) {
    for (const auto& [slot, in_pairs] : parameters.pairs()) {
      ++asked;
      if (!kernels::fits_pairs(slot->sizes())) continue;
      slot->copy_(kernels::in_pairs(slot->to(device)));
      *in_pairs = true;
      ++ordered;
    }
  }
  if (asked == 0) return;
  device::synchronize(device);
  log::info("weights in pairs", {{"matrices", ordered}, {"left", asked - ordered}});
}

}  // namespace trireme
