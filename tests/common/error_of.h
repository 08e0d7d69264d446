#pragma once
// The Error an action throws, for tests that look at code and message.

#include <string>

#include "common/errors.h"

namespace trireme {

template <class Action>
Error error_of(Action action) {
  try {
    action();
  } catch (const Error& e) {
    return e;
  }
  return Error(ExitCode::ok, "no error");
}

}  // namespace trireme
