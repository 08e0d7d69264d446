#pragma once
// Where the time of a pipeline goes, from the seconds that each stage works at each slot: predicted or measured ones.

#include <vector>

namespace trireme {

/// [stage][slot]; slot k is at stage s in beat k + s. Negative: nothing is in that slot.
using SlotSeconds = std::vector<std::vector<double>>;

/// Shares of stages x seconds. A beat lasts as long as its longest slot.
struct RingLoss {
  double fill = 0;       // stages with nothing in their slot: at the start, at the end, between
  double imbalance = 0;  // stages whose slot is shorter than the beat's longest
  double transfer = 0;   // the rest: tensors on their way, and waits that no slot explains
  double sum() const { return fill + imbalance + transfer; }
};

/// `seconds`: from the first slot's begin to the last one's end.
RingLoss ring_loss(const SlotSeconds& own, double seconds);

}  // namespace trireme
