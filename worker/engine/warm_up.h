#pragma once
// One pass of a model's own part on a unit like those to come, before the loop: what a fresh process does once (loading
// kernels, choosing convolutions) is done then, and not by every stage in turn while the others wait. Nothing is kept.

#include "worker/models/model.h"

namespace trireme {

/// `first`, `last`: of the stages. Other ranks are not asked: what they would send is zeros. A unit that can't be made
/// warms nothing. Ends when the device is done.
void warm_up(Model& model, bool first, bool last, const Unit& unit);

}  // namespace trireme
