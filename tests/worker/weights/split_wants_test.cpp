#include "tests/worker/weights/split_wants.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "tests/common/temporary_folder.h"
#include "tests/worker/weights/checkpoint_writer.h"
#include "worker/transport/self_transport.h"
#include "worker/transport/strict_transport.h"
#include "worker/weights/loader.h"

namespace trireme {
namespace {

TEST(LoadWeightsOnSeveralRanks, GivesEachWhatItWantsAndReadsOnlyOnRankZero) {
  const TemporaryFolder folder;
  test::write_split_checkpoint(folder.path());
  for (int ranks = 1; ranks <= 4; ++ranks) {
    for (const std::uint64_t seed : {1, 2, 3}) {
      strict::run({.ranks = ranks, .seed = seed}, [&](Transport& transport, Transport&) {
        test::load_split_wants(folder.path(), transport, at::kCPU);
      });
    }
  }
}

TEST(LoadWeightsOnSeveralRanks, WorksWithoutMpi) {
  const TemporaryFolder folder;
  test::write_split_checkpoint(folder.path());
  SelfTransport transport(at::kCPU);
  test::load_split_wants(folder.path(), transport, at::kCPU);
}

TEST(LoadWeightsOnSeveralRanks, TellsRankZeroWhatAnotherRankMisses) {
  const TemporaryFolder folder;
  test::write_checkpoint(folder.path(), {{{"w", at::ones({2})}}});
  const ModelFiles files = read_model_files(folder.path(), true);
  std::string message;
  const auto body = [&](Transport& transport, Transport&) {
    at::Tensor slot;
    PartParameters wanted;
    if (transport.rank() == 2) wanted["transformer"].want("absent", {2}, &slot);
    wanted["transformer"].skip("w", "not used by the model");
    try {
      load_weights(files, wanted, at::kFloat, at::kCPU, transport, [] {});
    } catch (const Error& error) {
      EXPECT_EQ(transport.rank(), 0);
      message = error.what();
      throw;
    }
  };
  EXPECT_THROW(strict::run({.ranks = 3, .seed = 1}, body), Error);
  EXPECT_NE(message.find("absent is missing"), std::string::npos) << message;
}

}  // namespace
}  // namespace trireme
