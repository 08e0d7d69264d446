#pragma once
// Slices whose layer comes from the host for them (memory.offload).

#include <string>
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

/// What a diffusion transformer visits in a pass, in this order.
struct PassBlocks {
  int refiners = 0;  // of the noise, in front of the layers: on the first stage
  Layers layers;     // keys are their numbers
};
/// Of a noise refiner, in a stream with layers.
inline int refiner_key(int refiner) { return -1 - refiner; }

/// The few refiners of captions stay: they run once a unit.
inline void keep_on_host(const PassBlocks& blocks, Parameters& parameters, const std::string& prefix,
                         WeightStream& weights) {
  for (int i = 0; i < blocks.refiners; ++i) {
    weights.add_layer(refiner_key(i), parameters, prefix + "noise_refiner." + std::to_string(i) + ".");
  }
  for (int i = blocks.layers.first; i < blocks.layers.last; ++i) {
    weights.add_layer(i, parameters, prefix + "layers." + std::to_string(i) + ".");
  }
}

}  // namespace trireme
