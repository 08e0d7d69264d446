#pragma once
// A unit on one stage of a cut model.

#include <memory>
#include <string>
#include <vector>

#include "worker/engine/side_work.h"
#include "worker/models/model.h"

namespace trireme {

struct RingUnit {
  Unit unit;
  std::unique_ptr<Session> session;      // of the items that can be made; null once all have failed
  std::string error;                     // why the unit has failed
  bool announced = false;                // first stage: the others know it
  bool entered = false;                  // first stage: compute waits for what `begin` made
  bool ended = false;                    // before its last pass: known here
  std::shared_ptr<SideWork::Task> side;  // first stage: begin; where it is finished: finish
  std::vector<Result> results;           // where it is finished
};

}  // namespace trireme
