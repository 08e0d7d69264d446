#include "common/print.h"

#include <gtest/gtest.h>

namespace trireme {
namespace {

TEST(Print, WritesAsPrintfDoes) {
  EXPECT_EQ(print("%5.2f %s|%03d", 3.14159, "x", 7), " 3.14 x|007");
  EXPECT_EQ(print("%s", ""), "");
}

TEST(Print, CutsNothingOff) {
  const std::string word(10'000, 'w');
  EXPECT_EQ(print("<%s>", word.c_str()), "<" + word + ">");
}

}  // namespace
}  // namespace trireme
