#include "common/xml_lint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trireme {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(XmlLint, HasNothingToSayAboutGoodTagsAndPlainText) {
  for (const char* prompt :
       {"", "a red fox", "<character_1><n>miku</n><gender>1girl</gender></character_1><general_tags></general_tags>",
        "<a>\n <b>x</b>\n <b>y</b>\n</a >", "<tag id=\"3\">x</tag>", "alone <br/> and <br />", "<名>初音</名>"}) {
    EXPECT_THAT(lint_tags(prompt), IsEmpty()) << prompt;
  }
}

TEST(XmlLint, TakesWhatCanBeNoTagAsText) {
  for (const char* prompt : {"i <3 foxes", "a < b > c", "<lora:miku:0.8>", "<Prompt Start>", "<>", "</>", "< n>",
                             "<!-- <n> -->", "<!-- <n>", "x <n", "<n x", "-> <-"}) {
    EXPECT_THAT(lint_tags(prompt), IsEmpty()) << prompt;
  }
}

TEST(XmlLint, NamesTagsThatAreNotClosedAndTheirPlace) {
  EXPECT_THAT(lint_tags("<n>miku"), ElementsAre("<n> is not closed, 1:1"));
  EXPECT_THAT(lint_tags("<a>初<b>x</a>"), ElementsAre("<b> is not closed before </a>, 1:5"));
  EXPECT_THAT(lint_tags("<a>\n  <b><c>x</c>\n"), ElementsAre("<a> is not closed, 1:1", "<b> is not closed, 2:3"));
  EXPECT_THAT(lint_tags("<N>miku</n>"), ElementsAre("<N> is not closed, 1:1", "</n> closes nothing, 1:8"));
  EXPECT_THAT(lint_tags("<a><b>x</a></b>"),
              ElementsAre("<b> is not closed before </a>, 1:4", "</b> closes nothing, 1:12"));
  EXPECT_THAT(lint_tags("<n miku</n>"), ElementsAre("</n> closes nothing, 1:8"));
}

TEST(XmlLint, GoesOnInsideOtherTags) {
  EXPECT_THAT(lint_tags("<a>x <3 <b></a>"), ElementsAre("<b> is not closed before </a>, 1:9"));
  EXPECT_THAT(lint_tags("<!-- c --><a>"), ElementsAre("<a> is not closed, 1:11"));
}

TEST(XmlLint, NamesTheItemAndTellsOfNeighboursOnce) {
  std::vector<Item> items(4);
  const char* prompts[] = {"<a>", "<a>", "<a></a>", "</a>"};
  for (std::size_t i = 0; i < items.size(); ++i) {
    items[i].id = "fox_" + std::to_string(i);
    items[i].prompt = prompts[i];
  }
  items[3].negative_prompt = "<b>";
  const std::vector<TagWarning> warnings = lint_items(items);
  ASSERT_EQ(warnings.size(), 3u);
  EXPECT_EQ(warnings[0].id, "fox_0");
  EXPECT_STREQ(warnings[0].key, "prompt");
  EXPECT_EQ(warnings[1].id, "fox_3");
  EXPECT_EQ(warnings[1].fact, "</a> closes nothing, 1:1");
  EXPECT_STREQ(warnings[2].key, "negative_prompt");
}

}  // namespace
}  // namespace trireme
