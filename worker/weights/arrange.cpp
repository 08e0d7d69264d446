#include "worker/weights/arrange.h"

#include "worker/kernels/gated_product.h"
#include "worker/weights/convolutions.h"
#include "worker/weights/fp8.h"
#include "worker/weights/pairs.h"

namespace trireme {

std::int64_t arrange_weights(const PartParameters& wanted, const Arrangement& as) {
  std::int64_t added = 0;
  if (as.fp8) {
    added -= static_cast<std::int64_t>(hold_in_fp8(wanted));
  } else if (as.pairs && kernels::has_gated_product(as.device, as.dtype)) {
    put_in_pairs(wanted, as.device);
  }
  return added + static_cast<std::int64_t>(prepare_convolutions(wanted, as.device));
}

}  // namespace trireme
