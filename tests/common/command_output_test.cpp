#include "common/command_output.h"

#include <gtest/gtest.h>

namespace trireme {

TEST(CommandOutput, IsWhatTheProgramPrints) { EXPECT_EQ(output_of({"printf", "%s\\n", "it's $HOME"}), "it's $HOME\n"); }

TEST(CommandOutput, IsNothingWhenTheProgramFailsOrIsNotThere) {
  EXPECT_EQ(output_of({"false"}), std::nullopt);
  EXPECT_EQ(output_of({"trireme-no-such-program"}), std::nullopt);
}

TEST(CommandOutput, AProgramIsFoundOnThePathByItsName) {
  EXPECT_TRUE(on_path("sh"));
  EXPECT_FALSE(on_path("trireme-no-such-program"));
}

TEST(CommandOutput, AWordIsQuotedWhereAShellWouldReadMoreThanALetter) {
  EXPECT_EQ(shell_word("a/b-c.yaml"), "a/b-c.yaml");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word(""), "''");
}

}  // namespace trireme
