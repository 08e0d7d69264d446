#pragma once
// Where the other program is.

#include <string>

namespace trireme {

/// trireme-worker beside this program. Throws Error(unavailable) when it is not there.
std::string worker_beside_us();

}  // namespace trireme
