#include "launcher/report/charts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trireme::report {
namespace {

using testing::HasSubstr;
using testing::Not;

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t found = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

}  // namespace

TEST(Charts, AxesEndAtRoundNumbers) {
  EXPECT_DOUBLE_EQ(round_up(0), 1);
  EXPECT_DOUBLE_EQ(round_up(0.035), 0.04);
  EXPECT_DOUBLE_EQ(round_up(1), 1);
  EXPECT_DOUBLE_EQ(round_up(652), 800);
  EXPECT_DOUBLE_EQ(round_up(210), 250);
}

TEST(Charts, ACurveSpansItsAxes) {
  const std::string svg = curve_svg({"power of a GPU", "W", {{0, 0, {}}, {10, 100, {}}}, 0, 10, 100});
  EXPECT_THAT(svg, HasSubstr("<polyline class=\"curve\" points=\"38.0,84.0 252.0,12.0 \"/>"));
  EXPECT_THAT(svg, HasSubstr("aria-label=\"power of a GPU\""));
}

TEST(Charts, OnePointIsADotAndNoneIsNothing) {
  const std::string one = curve_svg({"x", "W", {{5, 50, {}}}, 0, 10, 100});
  EXPECT_THAT(one, HasSubstr("<circle"));
  EXPECT_THAT(one, Not(HasSubstr("polyline")));
  EXPECT_THAT(curve_svg({"x", "W", {}, 0, 10, {}}), Not(HasSubstr("circle")));
}

TEST(Charts, GanttBarsStandWhereTheirSecondsSay) {
  const std::string svg = gantt_svg({"t", {}, {{"rank 0", {{0, 5, "denoise", "unit <1>", "denoise", false}}}}, 10});
  EXPECT_THAT(svg, HasSubstr("x=\"150.0\" y=\"8.0\" width=\"420.0\""));
  EXPECT_THAT(svg, HasSubstr("<title>unit &lt;1&gt;</title>"));
  EXPECT_THAT(svg, HasSubstr(">denoise</text>"));
}

TEST(Charts, BarsThatOverlapAreAllToBeSeen) {
  const std::string svg =
      gantt_svg({"t", {}, {{"r", {{0, 6, "slot", "a", "", false}, {3, 6, "slot", "b", "", false}}}}, 10});
  EXPECT_THAT(svg, HasSubstr("y=\"8.0\""));
  EXPECT_THAT(svg, HasSubstr("y=\"30.0\""));
}

TEST(Charts, OfBarsThatBeginTogetherTheLongestIsAbove) {
  const std::string svg =
      gantt_svg({"t", {}, {{"r", {{2, 1, "decode", "a", "", false}, {2.001, 6, "denoise", "b", "", false}}}}, 10});
  EXPECT_LT(svg.find("class=\"denoise\""), svg.find("class=\"decode\""));
  EXPECT_LT(svg.find("y=\"8.0\""), svg.find("y=\"30.0\""));
}

TEST(Charts, AHundredThousandBarsMakeNoLargerFigureThanAThousandPixels) {
  GanttRow row{"r", {}};
  for (int i = 0; i < 100'000; ++i) row.bars.push_back({i * 1e-4, 1e-4, "slot", "x", "", false});
  EXPECT_LE(count(gantt_svg({"t", {}, {row}, 10}), "<rect"), 2000u);
}

TEST(Charts, APlotLabelsItsPoints) {
  const std::string svg =
      plot_svg({"scaling", "ranks", "images/s", {{1, 2, "2"}, {2, 3.5, "3.5"}}, {{1, 2, {}}, {2, 4, {}}}});
  EXPECT_EQ(count(svg, "<circle"), 2u);
  EXPECT_THAT(svg, HasSubstr(">3.5</text>"));
  EXPECT_THAT(svg, HasSubstr(">ideal</text>"));
}

}  // namespace trireme::report
