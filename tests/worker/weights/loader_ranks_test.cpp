// The loader over the real transports: `mpirun -n N loader_ranks_test self|mpi|nccl`.

#include <gtest/gtest.h>

#include <optional>

#include "tests/common/temporary_folder.h"
#include "tests/worker/ranks_main.h"
#include "tests/worker/weights/split_wants.h"

namespace trireme {
namespace {

TEST(LoadWeightsInProcesses, GivesEachWhatItWantsAndReadsOnlyOnRankZero) {
  Transport& transport = test::ranks_transport();
  std::optional<TemporaryFolder> folder;
  if (transport.rank() == 0) {
    folder.emplace();
    test::write_split_checkpoint(folder->path());
  }
  test::load_split_wants(folder ? folder->path() : std::filesystem::path(), transport, transport.device());
  transport.barrier();  // the folder goes when all have loaded
}

}  // namespace
}  // namespace trireme
