#pragma once
// The name of a result: equal run ids promise equal bits, so a run directory may be resumed. Rank 0.

#include <string>
#include <string_view>
#include <vector>

#include "common/checkpoint.h"
#include "common/item.h"
#include "common/job.h"

namespace trireme {

/// 32 hex digits over all that bits depend on: the items in order with all their values, family, fingerprint, dtype
/// (resolved: float32 or bfloat16), parallel.threads, dispatch.batch (resolved; auto counts as 1), memory.vae_tiling,
/// dummy weights, the hashes of picture files, and `tables`, the version of
/// the source tables that choose attention backend, tiling and batch size. Never over ranks, policy, queue depth,
/// memory fraction, output, monitor or limits.
std::string run_id(const Job& job, const Checkpoint& checkpoint, std::string_view dtype, std::string_view tables,
                   const std::vector<Item>& items);

}  // namespace trireme
