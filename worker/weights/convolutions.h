#pragma once
// Kernels of convolutions as a GPU wants them, once they are loaded: channels last, so that no call turns them, and
// folded where they only meet doubled pictures (kernels/pixels.h).

#include <cstdint>

#include "worker/weights/loader.h"

namespace trireme {

/// On this rank: slots on `device` that are wider than 1x1, in their own storage but for the folded ones. Nothing on a
/// CPU. Gives the bytes that it added.
std::uint64_t prepare_convolutions(const PartParameters& wanted, at::Device device);

}  // namespace trireme
