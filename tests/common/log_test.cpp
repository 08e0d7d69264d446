#include "common/log.h"

#include <gtest/gtest.h>

namespace trireme {

TEST(Log, QuotesValuesThatWouldBreakTheLine) {
  EXPECT_EQ(log::format("item done", {{"id", "a-1"}, {"prompt", "two words"}, {"seconds", 0.25}, {"rank", 3}}),
            "item done id=a-1 prompt=\"two words\" seconds=0.25 rank=3");
  EXPECT_EQ(log::format("x", {{"v", std::string_view("a\n\x1b[31m\"", 8)}}), "x v=\"a\\x0a\\x1b[31m\\\"\"");
  EXPECT_EQ(log::format("x", {{"v", ""}}), "x v=\"\"");
}

}  // namespace trireme
