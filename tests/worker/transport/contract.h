#pragma once
// What every transport promises, as cases that all ranks run together: in processes (contract_test.cpp) or as threads
// of one (the strict transport). A case uses nothing but the interface; it reports through EXPECT_*, and throws when it
// waits for more than a minute. Every case leaves nothing outstanding.

#include <span>

#include "worker/transport/transport.h"

namespace trireme::test {

struct Case {
  const char* name;
  void (*run)(Transport& transport);
};

std::span<const Case> transport_contract();

}  // namespace trireme::test
