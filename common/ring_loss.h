#pragma once
// Where the time of a pipeline goes, from the seconds that each stage works at each slot: predicted or measured ones.

#include <vector>

namespace trireme {

/// [stage][slot]; slot k is at stage s in beat k + s. Negative: nothing is in that slot.
using SlotSeconds = std::vector<std::vector<double>>;

struct RingSlots {
  SlotSeconds own;
  std::vector<bool> returns;  // of a slot: its state goes from the last stage to the first, for the slot `stages` later
};

/// Shares of stages x seconds. Were nothing between the stages, a slot would begin once its stage is free and the stage
/// before is done with it (the first stage: once a state that comes back with it is there); a stage that sends waits
/// for nobody.
struct RingLoss {
  double fill = 0;       // stages that wait for a first slot, behind empty ones, or for the end
  double imbalance = 0;  // stages that wait for a slot of a stage that took longer
  double transfer = 0;   // the rest: tensors on their way, and waits that no slot explains
  double sum() const { return fill + imbalance + transfer; }
};

/// `seconds`: from the first slot's begin to the last one's end.
RingLoss ring_loss(const RingSlots& ring, double seconds);

}  // namespace trireme
