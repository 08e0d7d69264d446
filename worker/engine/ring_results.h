#pragma once
// A stage's way out of the ring: a unit whose passes are done is decoded beside the ring, and is finished once every
// other stage has said whether it was well there.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "worker/engine/engine.h"
#include "worker/engine/ring_messages.h"
#include "worker/engine/ring_unit.h"
#include "worker/engine/slot_times.h"

namespace trireme {

class RingResults {
 public:
  RingResults(Model& model, SideWork& side, SlotTimes& times, int stages)
      : model_(model), side_(side), times_(times), stages_(stages) {}

  void add(std::shared_ptr<RingUnit> unit);
  void hear(const ring::Verdict& verdict);
  /// Moves what is finished to `finished`; true if anything is.
  bool collect(std::deque<Finished>& finished);
  bool idle() const { return units_.empty(); }
  std::uint64_t tokens() const;  // written by all units that came here

 private:
  struct Verdicts {
    int count = 0;
    std::string error;
  };
  bool concluded(const RingUnit& unit) const;
  Finished conclude(RingUnit& unit);

  Model& model_;
  SideWork& side_;
  SlotTimes& times_;
  const int stages_;
  std::deque<std::shared_ptr<RingUnit>> units_;
  std::map<std::uint64_t, Verdicts> verdicts_;
  std::uint64_t tokens_ = 0;
};

}  // namespace trireme
