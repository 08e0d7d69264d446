#pragma once
// A family without weights: deterministic output of the right shapes, and cost and faults chosen by words of the
// prompt (directives.h), so that launcher, dispatch, resume and fault tests run in seconds on two cores. Runs on the
// CPU.

#include <memory>

#include "worker/models/model.h"

namespace trireme {

struct ModelSettings;

std::unique_ptr<Model> make_fake_model(const ModelSettings& settings);

}  // namespace trireme
