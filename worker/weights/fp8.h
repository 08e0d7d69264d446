#pragma once
// model.dtype: fp8: after loading, the matrices whose modules allow it are held as float8 with a scale a row.

#include <cstdint>

#include "worker/weights/loader.h"

namespace trireme {

/// On this rank. Returns the bytes saved. Matrices whose sizes are no multiples of 16 stay as they are; the log says
/// how many became float8.
std::uint64_t hold_in_fp8(const PartParameters& wanted);

}  // namespace trireme
