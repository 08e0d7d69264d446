#include "common/did_you_mean.h"

#include <gtest/gtest.h>

namespace trireme {

TEST(DidYouMean, CountsEditsAndSwaps) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("widht", "width"), 1u);
  EXPECT_EQ(edit_distance("Queue-Depth", "queue_depth"), 0u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(DidYouMean, SuggestsOnlyWhatIsNear) {
  EXPECT_EQ(did_you_mean("promt", {"prompts", "prompt", "seed"}), "; did you mean 'prompt'?");
  EXPECT_EQ(did_you_mean("zzz", {"a", "b"}), "; known: a, b");
  EXPECT_EQ(did_you_mean("x", {}), "");
  EXPECT_EQ(did_you_mean(std::string(100000, 'x'), std::vector<std::string_view>(20, "width")), "");
}

}  // namespace trireme
