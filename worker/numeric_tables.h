#pragma once
// The version of everything in the source that bits depend on beside the item and the model: attention backend, tiling
// and batch tables, order of operations. Part of the run id: raise it when a change may alter a result's bits, and a
// run that was begun before the change is not resumed with other bits.

namespace trireme {

inline constexpr const char* kNumericTables = "7";

}  // namespace trireme
