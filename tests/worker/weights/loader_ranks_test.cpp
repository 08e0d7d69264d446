// The loader over the real transports: `mpirun -n N loader_ranks_test self|mpi|nccl`.

#include <gtest/gtest.h>

#include <optional>

#include "tests/common/temporary_folder.h"
#include "tests/worker/ranks_main.h"
#include "tests/worker/weights/split_wants.h"
#include "worker/weights/node_cache.h"

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

/// A checkpoint that every rank can see, as on a shared file system.
class SharedCheckpoint : public testing::Test {
 protected:
  SharedCheckpoint() {
    if (rank() == 0) test::write_split_checkpoint(folder_.path());
    files_ = rank() == 0 ? read_model_files(folder_.path(), /*weights=*/true) : ModelFiles();
    files_ = share_model_files(std::move(files_), transport_);
  }
  ~SharedCheckpoint() override { transport_.barrier(); }  // the folder goes when all are done

  int rank() const { return transport_.rank(); }

  Transport& transport_ = test::ranks_transport();
  const TemporaryFolder folder_;
  ModelFiles files_;
};

TEST_F(SharedCheckpoint, EveryRankReadsWhatItWantsForItself) {
  test::load_for_itself(files_, transport_, transport_.device());
}

TEST_F(SharedCheckpoint, ACopyOfEachHostIsReadInItsPlace) {
  int progress = 0;
  const std::filesystem::path cache = folder_.path() / "cache";  // of each rank its own, as of hosts
  const auto use = [&] {
    return use_node_cache(files_, {cache, "0123456789abcdef0123", true}, transport_, [&progress] { ++progress; });
  };
  const ModelFiles copies = use();
  std::vector<std::string> shards;
  for (const auto& [name, part] : copies.parts) shards.insert(shards.end(), part.shards.begin(), part.shards.end());
  ASSERT_GE(shards.size(), 2u);
  for (const std::string& shard : shards) {
    EXPECT_TRUE(shard.starts_with((cache / "0123456789abcdef").string())) << shard;
    EXPECT_TRUE(std::filesystem::exists(shard)) << shard;
  }
  test::load_for_itself(copies, transport_, transport_.device());

  // A damaged copy is made again, a good one is left alone.
  std::filesystem::resize_file(shards[0], std::filesystem::file_size(shards[0]) - 1);
  const auto written = std::filesystem::last_write_time(shards[1]);
  test::load_for_itself(use(), transport_, transport_.device());
  EXPECT_EQ(std::filesystem::last_write_time(shards[1]), written);
}

}  // namespace
}  // namespace trireme
