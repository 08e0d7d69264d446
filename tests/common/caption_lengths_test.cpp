#include "common/caption_lengths.h"

#include <gtest/gtest.h>

namespace trireme {
namespace {

Job tiny() {
  Job job;
  job.model.path = TRIREME_SOURCE_DIR "/models/z_image_tiny";
  return job;
}

Checkpoint z_image() {
  Checkpoint checkpoint;
  checkpoint.family = "z_image";
  checkpoint.defaults.batches = true;
  checkpoint.defaults.no_guidance = 1;
  return checkpoint;
}

TEST(CaptionLengths, ArePaddedAndCountTheNegativePromptWhereThereIsGuidance) {
  std::vector<Item> items(5);
  items[0].prompt = "a cat";
  for (int i = 0; i < 100; ++i) items[1].prompt += "a cat ";
  for (int i = 0; i < 2000; ++i) items[2].prompt += "a cat ";
  items[3] = items[0];
  items[3].guidance = 4;
  items[4].prompt = "\xff is no UTF-8";
  const std::vector<int> lengths = caption_lengths(tiny(), z_image(), items);
  ASSERT_EQ(lengths.size(), items.size());
  EXPECT_EQ(lengths[0], 32);
  EXPECT_GT(lengths[1], 200);
  EXPECT_EQ(lengths[1] % 32, 0);
  EXPECT_EQ(lengths[2], 512) << "longer captions are cut";
  EXPECT_EQ(lengths[3], 64) << "two captions";
  EXPECT_EQ(lengths[4], 0);
}

TEST(CaptionLengths, AreNotAskedForWhereAUnitIsOnePicture) {
  Checkpoint checkpoint = z_image();
  checkpoint.family = "newbie_image";
  checkpoint.defaults.batches = false;
  EXPECT_TRUE(caption_lengths(tiny(), checkpoint, std::vector<Item>(3)).empty());
}

}  // namespace
}  // namespace trireme
