#pragma once
// Whether every rank's share of a model fits, known from the shapes of its parameters before anything is read.
// Collective.

#include "worker/models/list.h"
#include "worker/transport/transport.h"
#include "worker/weights/loader.h"

namespace trireme {

/// Rank 0 prints the share of each stage where there are several. Throws ConfigError there, with the numbers, when a
/// rank's parameters are more than memory.fraction of its memory, or what the ranks of a host keep there for
/// memory.offload is more than that of the host's; the other ranks then wait until the job is aborted.
void require_room(const PartParameters& wanted, const ModelSettings& settings, const Layers& own, Transport& transport);

}  // namespace trireme
