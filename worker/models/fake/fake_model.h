#pragma once
// A family without weights: deterministic output of the right shapes, and cost and faults chosen by words of the
// prompt, so that launcher, dispatch, resume and fault tests run in seconds on two cores. Words (others are ignored):
//   cost=SECONDS   time the item takes in all, spread over its passes and layers
//   fail           the item fails;   throw  an error of the program;   crash=SIGNAL  the process kills itself
//   hang           a layer that never returns
// Runs on the CPU.

#include <memory>

#include "worker/models/model.h"

namespace trireme {

struct ModelSettings;

std::unique_ptr<Model> make_fake_model(const ModelSettings& settings);

}  // namespace trireme
