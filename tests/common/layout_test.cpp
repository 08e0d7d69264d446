#include "common/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "tests/common/error_of.h"

namespace trireme {
namespace {

using testing::HasSubstr;

TEST(Layout, EveryRankHasOnePlaceInOneReplica) {
  for (const auto& [stages, guidance] : {std::pair{1, 1}, {2, 1}, {3, 1}, {1, 2}, {2, 2}}) {
    for (int replicas = 1; replicas <= 3; ++replicas) {
      const Layout layout = make_layout(replicas * stages * guidance, stages, guidance);
      EXPECT_EQ(layout.replicas(), replicas);
      for (int rank = 0; rank < layout.ranks; ++rank) {
        const int replica = layout.replica_of(rank);
        EXPECT_EQ(layout.first_rank(replica) + layout.place_of(rank), rank);
        EXPECT_LE(rank, layout.last_rank(replica));
      }
      EXPECT_EQ(layout.last_rank(replicas - 1), layout.ranks - 1);
    }
  }
}

TEST(Layout, RefusesRanksThatMakeNoWholeReplicasAndSaysHowMany) {
  EXPECT_THAT(error_of([] { make_layout(3, 2, 1); }).what(),
              HasSubstr("parallel.stages: 2 make a replica of 2 ranks, which do not divide 3: start 2 or 4 ranks"));
  EXPECT_THAT(error_of([] { make_layout(1, 4, 1); }).what(), HasSubstr("which do not divide 1: start 4 ranks"));
  EXPECT_THAT(error_of([] { make_layout(6, 2, 2); }).what(), HasSubstr("parallel.guidance: 2"));
}

}  // namespace
}  // namespace trireme
