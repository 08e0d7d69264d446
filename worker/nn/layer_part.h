#pragma once
// Which layers of a model a rank holds. A transformer layer may be cut in two: behind its attention half only the
// residual goes on.

namespace trireme {

enum class LayerPart { whole, attention, feed_forward };

inline bool attends(LayerPart part) { return part != LayerPart::feed_forward; }
inline bool feeds_forward(LayerPart part) { return part != LayerPart::attention; }

/// Consecutive ones of the model's main layers. A stage may begin and end in the middle of a layer.
struct Layers {
  int first = 0, last = 0;          // [first, last)
  bool skips_attention = false;     // of layer `first`: the stage before does it
  bool skips_feed_forward = false;  // of layer `last - 1`: the next stage does it

  LayerPart part(int layer) const {
    if (skips_attention && layer == first) return LayerPart::feed_forward;
    if (skips_feed_forward && layer == last - 1) return LayerPart::attention;
    return LayerPart::whole;
  }
};

}  // namespace trireme
