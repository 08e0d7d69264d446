// The contract in processes: `mpirun -n N transport_contract_test NAME` runs every case on all ranks together.

#include <gtest/gtest.h>

#include "contract.h"
#include "tests/worker/ranks_main.h"

namespace trireme::test {
namespace {

class TransportContract : public testing::TestWithParam<Case> {};

TEST_P(TransportContract, Holds) {
  GetParam().run(ranks_transport());
  ranks_transport().barrier();
}

INSTANTIATE_TEST_SUITE_P(Case, TransportContract, testing::ValuesIn(transport_contract()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace trireme::test
