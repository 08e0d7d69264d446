#include "common/library_versions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trireme {

TEST(LibraryVersions, ALoadedLibraryThatIsNotTheOneCompiledAgainstIsShown) {
  EXPECT_EQ(to_text({"NCCL", "2.28.9", "2.28.9"}), "NCCL 2.28.9");
  EXPECT_EQ(to_text({"NCCL", "2.27.3", "2.28.9"}), "NCCL 2.28.9 (compiled against 2.27.3)");
  EXPECT_EQ(to_text({"torch", "2.11.0", ""}), "torch 2.11.0");
  EXPECT_EQ(to_text({"GPU driver", "", ""}), "GPU driver none");
}

TEST(LibraryVersions, EveryLibraryTellsANumber) {
  for (const LibraryVersion& version : common_library_versions()) {
    EXPECT_THAT(to_text(version), testing::MatchesRegex("[A-Za-z0-9-]+ [0-9]+\\.[0-9.]+")) << version.library;
  }
}

}  // namespace trireme
