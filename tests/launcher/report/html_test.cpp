#include "launcher/report/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "launcher/report/base64.h"
#include "launcher/report/markdown.h"

namespace trireme::report {
namespace {

using testing::HasSubstr;
using testing::Not;

Document with(Block block) { return {"a title", {{"run", "", {}, {{"section", {std::move(block)}}}}}, "footer"}; }

}  // namespace

TEST(Html, EscapesWhatWouldBeMarkup) {
  EXPECT_EQ(escaped("<script>alert('x') & \"y\"</script>"),
            "&lt;script&gt;alert(&#39;x&#39;) &amp; &quot;y&quot;&lt;/script&gt;");
}

TEST(Html, KeepsEveryLanguageAndReplacesWhatIsNoText) {
  EXPECT_EQ(escaped("狐狸 🦊 👩‍🚀 مرحبا\tx\ny"), "狐狸 🦊 👩‍🚀 مرحبا\tx\ny");
  EXPECT_EQ(escaped(std::string("a\0b\x1b[31m\xff", 9)),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD[31m\xEF\xBF\xBD");
  EXPECT_EQ(escaped("\xC2\x85|\xED\xA0\x80"), "\xEF\xBF\xBD|\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD") << "C1, surrogate";
}

TEST(Html, IsolatesPromptsSoThatTheyTurnNothingAroundThem) {
  const std::string page = to_html(with(Gallery{"pictures", {{"a", "\u202Eשלום", "", "png", 4, 4}}}));
  EXPECT_THAT(page, HasSubstr("<bdi dir=\"auto\">\u202Eשלום</bdi>"));
}

TEST(Html, APromptGetsOutOfNoAttribute) {
  const std::string page = to_html(with(Gallery{"p", {{"a", "x\" onerror=\"alert(1)", "", "png", 4, 4}}}));
  EXPECT_THAT(page, HasSubstr("alt=\"x&quot; onerror=&quot;alert(1)\""));
  EXPECT_THAT(page, HasSubstr("src=\"data:image/png;base64,cG5n\""));
}

TEST(Html, TablesHaveCaptionsAndHeads) {
  const std::string page = to_html(with(Table{"What", {{"name", false}, {"n"}}, {{"<b>", "1"}}}));
  EXPECT_THAT(page, HasSubstr("<caption>What</caption>"));
  EXPECT_THAT(page, HasSubstr("<th scope=\"col\">n</th>"));
  EXPECT_THAT(page,
              HasSubstr("<th scope=\"row\" class=\"text short\"><bdi dir=\"auto\">&lt;b&gt;</bdi></th><td>1</td>"));
}

TEST(Html, AMissingPictureSaysWhy) {
  const std::string page = to_html(with(Gallery{"p", {{"a", "x", "failed: no", "", 0, 0}}}));
  EXPECT_THAT(page, HasSubstr("failed: no"));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
}

TEST(Base64, PadsAsTheRfcDoes) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

TEST(Markdown, EscapesWhatWouldBeMoreThanText) {
  EXPECT_EQ(markdown_escaped("<img src=x> | *a* _b_ `c` [d](e) #f\ng"),
            "&lt;img src=x\\> \\| \\*a\\* \\_b\\_ \\`c\\` \\[d\\](e) \\#f g");
  EXPECT_EQ(markdown_escaped("a\\|b & 狐狸"), "a\\\\\\|b &amp; 狐狸");
}

TEST(Markdown, ATableHasAsManyCellsWhateverIsInThem) {
  const std::string text = to_markdown(with(Table{"What", {{"name", false}, {"n"}}, {{"a|b\n", "1"}}}));
  EXPECT_THAT(text, HasSubstr("What:\n\n| name | n |\n|---|---:|\n| a\\|b  | 1 |\n"));
}

TEST(Markdown, AListingIsFencedByMoreThanItHolds) {
  const std::string text = to_markdown(with(Listing{"file", "a\n````\nb"}));
  EXPECT_THAT(text, HasSubstr("`````\na\n````\nb\n`````\n"));
}

}  // namespace trireme::report
