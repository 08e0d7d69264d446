// The contract on the strict transport: what tests of the exchange stand on keeps the same promises as what jobs run
// on.
#include <gtest/gtest.h>

#include "contract.h"
#include "worker/transport/strict_transport.h"

namespace trireme::test {
namespace {

class StrictContract : public testing::TestWithParam<Case> {};

TEST_P(StrictContract, HoldsAtOneToFourRanks) {
  for (int ranks = 1; ranks <= 4; ++ranks) {
    strict::run({.ranks = ranks, .seed = 1}, [](Transport& exchange, Transport&) { GetParam().run(exchange); });
  }
}

INSTANTIATE_TEST_SUITE_P(Case, StrictContract, testing::ValuesIn(transport_contract()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace trireme::test
