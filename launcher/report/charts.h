#pragma once
// Figures as inline SVG, coloured by the page's style sheet. Every bar and point has its words: in it, beside it, or as
// its title. Pure.

#include <optional>
#include <string>
#include <vector>

namespace trireme::report {

struct Point {
  double x = 0, y = 0;
  std::string name;  // empty: not labelled
};

/// A small curve over time; `top` is the end of the axis, or what the points need.
struct Curve {
  std::string label;  // for readers who don't see it
  std::string unit;   // of y
  std::vector<Point> points;
  double from = 0, to = 1;  // seconds
  std::optional<double> top;
};
std::string curve_svg(const Curve& curve);

/// Labelled points joined by a line, and a dashed one for what would be ideal.
struct Plot {
  std::string label, x_unit, y_unit;
  std::vector<Point> points;  // by x
  std::vector<Point> ideal;
};
std::string plot_svg(const Plot& plot);

/// What a row did from when to when. `kind` is a class of the style sheet.
struct Bar {
  double begin = 0, seconds = 0;
  std::string kind, title;
  std::string text;   // in the bar, where it fits
  bool thin = false;  // on a line of its own below the others
};
struct GanttRow {
  std::string label;
  std::vector<Bar> bars;
};
struct Gantt {
  std::string label;
  std::vector<std::string> kinds;  // those in the legend; empty: none
  std::vector<GanttRow> rows;
  double end = 0;  // seconds
};
/// Bars that overlap in a row get lines of their own, up to eight. Bars of one kind that are too narrow to tell apart
/// are drawn as one.
std::string gantt_svg(const Gantt& gantt);

/// The end of an axis: a number of one digit, or 25, times a power of ten, not below `value`.
double round_up(double value);

}  // namespace trireme::report
