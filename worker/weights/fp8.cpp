#include "worker/weights/fp8.h"

#include <ATen/ATen.h>

#include "common/log.h"
#include "worker/kernels/fp8.h"
#include "worker/weights/storage.h"

namespace trireme {

std::uint64_t hold_in_fp8(const PartParameters& wanted) {
  std::uint64_t saved = 0, held = 0, asked = 0;
  for (const auto& [part, parameters] : wanted) {
    for (const auto& [slot, scales] : parameters.fp8()) {
      ++asked;
      if (!kernels::fits_fp8(slot->sizes())) continue;
      const kernels::ScaledRows rows = kernels::quantise_rows(*slot);
      const std::uint64_t before = slot->nbytes();
      *slot = parameter_storage(rows.values.sizes(), at::kFloat8_e4m3fn, slot->device()).copy_(rows.values);
      *scales = rows.scales;
      saved += before - slot->nbytes() - scales->nbytes();
      ++held;
    }
  }
  log::info("weights in float8", {{"matrices", held}, {"left", asked - held}, {"bytes_saved", saved}});
  return saved;
}

}  // namespace trireme
