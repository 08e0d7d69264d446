#pragma once
// Slices whose layer comes from the host for them (memory.offload).

#include <utility>

#include "worker/models/model.h"
#include "worker/weights/weight_stream.h"

namespace trireme {

/// Places of a unit's visits: all of its encoding come before those of its passes.
inline constexpr int kEncodingPlaces = 0, kPassPlaces = 1 << 20;

/// `slice` needs layer `key` of `weights`.
inline Slice streamed(WeightStream& weights, int key, Slice slice) {
  if (!weights.active()) return slice;
  slice.layer = weights.place(key);
  slice.run = [&weights, key, run = std::move(slice.run)] { weights.visit(key, run); };
  return slice;
}

}  // namespace trireme
