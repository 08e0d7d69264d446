#pragma once
// Conditions a caller of a kernel must meet; not part of the public headers.

#include <string>

#include "common/errors.h"

namespace trireme::kernels {

inline void require(bool condition, const char* what) {
  if (!condition) throw Error(ExitCode::internal, std::string("kernel called wrongly: ") + what);
}

}  // namespace trireme::kernels
