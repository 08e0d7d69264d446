#pragma once
// The order of a gated feed-forward's weights, for kernels/gated_product.h: on GPUs that have its kernel, the rows of
// the matrices whose modules allow it are put in pairs once they are loaded.

#include "worker/weights/loader.h"

namespace trireme {

/// On this rank, in place: what stays on the host, too, before its first visit to `device`. On the device each matrix
/// takes its size once more meanwhile, on the host twice on `device`. Matrices whose sizes do not fit stay as they are;
/// the log says how many were put in order.
void put_in_pairs(const PartParameters& wanted, at::Device device);

}  // namespace trireme
