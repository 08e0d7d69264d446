// The contract in processes: `mpirun -n N transport_contract_test NAME` runs every case on all ranks together.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "common/errors.h"
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

TEST(MpiTransport, RefusesAShorterMessageAndNamesItsSender) {
  Transport& transport = ranks_transport();
  if (std::string(transport.carrier()) != "mpi" || transport.size() == 1) GTEST_SKIP() << "for mpi, 2 ranks or more";
  if (transport.rank() < 2) {
    const bool sends = transport.rank() == 0;
    const at::Tensor data = at::zeros({sends ? 50 : 100}, at::TensorOptions(at::kByte).device(transport.device()));
    try {
      const TransferId id = transport.start({{sends ? 1 : 0, sends ? Direction::send : Direction::receive, data}});
      while (!transport.done(id)) std::this_thread::yield();
      EXPECT_TRUE(sends);
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), std::string("receiving, rank 0: 50 bytes came, 100 were expected"));
    }
  }
  transport.barrier();
}

}  // namespace
}  // namespace trireme::test
