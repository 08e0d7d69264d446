#include "launcher/report/charts.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "common/print.h"
#include "launcher/report/html.h"
#include "launcher/report/numbers.h"

namespace trireme::report {
namespace {

constexpr double kLetter = 6.8;  // pixels that a letter of the small text takes, about

std::string open_svg(double width, double height, const std::string& label, const char* kind) {
  return print("<svg class=\"%s\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" role=\"img\" aria-label=\"", kind, width,
               height, width) +
         escaped(label) + "\">\n";
}

std::string words(double x, double y, const char* anchor, const std::string& text, const char* kind = "") {
  return print("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>", x, y, anchor, kind) + escaped(text) + "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2) {
  return print("<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x1, y1, x2, y2);
}

std::string tick(double value) { return print("%.6g", value); }

/// Where a value stands between two ends of an axis.
struct Scale {
  double from, to, start, end;
  double operator()(double value) const {
    return to > from ? start + (value - from) / (to - from) * (end - start) : start;
  }
};

std::string polyline(const std::vector<Point>& points, const Scale& x, const Scale& y, const char* kind) {
  std::string text = print("<polyline class=\"%s\" points=\"", kind);
  for (const Point& point : points) text += print("%.1f,%.1f ", x(point.x), y(point.y));
  return text + "\"/>\n";
}

double highest(const std::vector<Point>& points) {
  double most = 0;
  for (const Point& point : points) most = std::max(most, point.y);
  return most;
}

}  // namespace

double round_up(double value) {
  if (!(value > 0)) return 1;
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double step : {1.0, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0}) {
    if (value <= step * power * (1 + 1e-9)) return step * power;
  }
  return 10 * power;
}

std::string curve_svg(const Curve& curve) {
  constexpr double kWidth = 260, kHeight = 104, kLeft = 38, kRight = 252, kTop = 12, kBottom = 84;
  const double top = curve.top ? *curve.top : round_up(highest(curve.points));
  const Scale x{curve.from, curve.to, kLeft, kRight}, y{0, top, kBottom, kTop};
  std::string svg = open_svg(kWidth, kHeight, curve.label, "");
  svg += line(kLeft, kTop, kRight, kTop) + line(kLeft, kBottom, kRight, kBottom);
  svg += words(kLeft - 4, kTop + 4, "end", tick(top), " class=\"soft\"");
  svg += words(kLeft - 4, kBottom + 4, "end", "0", " class=\"soft\"");
  svg += words(kLeft, kBottom + 17, "start", tick(std::round(curve.from)), " class=\"soft\"");
  svg += words(kRight, kBottom + 17, "end", print("%.3g s", curve.to), " class=\"soft\"");
  if (curve.points.size() > 1) {
    std::vector<Point> area = curve.points;
    area.insert(area.begin(), {area.front().x, 0, {}});
    area.push_back({area.back().x, 0, {}});
    svg += polyline(area, x, y, "area") + polyline(curve.points, x, y, "curve");
  }
  for (const Point& point : curve.points) {
    if (curve.points.size() > 12) break;
    svg += print("<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\"><title>%.4g %s at %.1f s</title></circle>\n",
                 x(point.x), y(point.y), point.y, escaped(curve.unit).c_str(), point.x);
  }
  return svg + "</svg>";
}

std::string plot_svg(const Plot& plot) {
  constexpr double kWidth = 480, kHeight = 300, kLeft = 62, kRight = 452, kTop = 30, kBottom = 252;
  const double most_y = std::max(highest(plot.points), highest(plot.ideal));
  double most_x = 0;
  for (const Point& point : plot.points) most_x = std::max(most_x, point.x);
  const double top = round_up(most_y), right = most_x * 1.08;
  const Scale x{0, right, kLeft, kRight}, y{0, top, kBottom, kTop};
  std::string svg = open_svg(kWidth, kHeight, plot.label, "");
  for (int i = 0; i <= 4; ++i) {
    const double value = top * i / 4;
    svg += line(kLeft, y(value), kRight, y(value)) + words(kLeft - 6, y(value) + 4, "end", tick(value));
  }
  svg += words(kLeft, 14, "start", plot.y_unit, " class=\"soft\"");
  svg += words(kRight, kBottom + 36, "end", plot.x_unit, " class=\"soft\"");
  double written = -1;
  for (const Point& point : plot.points) {
    if (x(point.x) - written < 16) continue;
    written = x(point.x);
    svg += words(x(point.x), kBottom + 18, "middle", tick(point.x));
  }
  if (plot.ideal.size() > 1) {
    svg += polyline(plot.ideal, x, y, "ideal");
    svg += words(x(plot.ideal.back().x) - 6, y(plot.ideal.back().y) - 6, "end", "ideal", " class=\"soft\"");
  }
  svg += polyline(plot.points, x, y, "curve");
  for (const Point& point : plot.points) {
    svg += print("<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>\n", x(point.x), y(point.y));
    const bool at_right = x(point.x) > kRight - 60;
    svg += words(x(point.x) + (at_right ? -4 : 7), y(point.y) + 17, at_right ? "end" : "start", point.name);
  }
  return svg + "</svg>";
}

namespace {

constexpr double kLeft = 150, kWidth = 1000, kLine = 22, kThin = 8;
constexpr std::size_t kMostLines = 8;

/// The line of each bar; those that overlap by more than a quarter of the shorter one get different ones: results
/// take a moment to come home.
std::vector<std::size_t> lines_of(const std::vector<Bar>& bars) {
  std::vector<const Bar*> last;
  std::vector<std::size_t> lines;
  for (const Bar& bar : bars) {
    std::size_t line = 0;
    if (!bar.thin) {
      const auto free = [&](const Bar* before) {
        const double overlap = before->begin + before->seconds - bar.begin;
        return overlap <= 0.25 * std::min(before->seconds, bar.seconds) + 1e-9;
      };
      while (line < last.size() && line + 1 < kMostLines && !free(last[line])) ++line;
      if (line == last.size()) last.push_back(nullptr);
      last[line] = &bar;
    }
    lines.push_back(line);
  }
  return lines;
}

/// In one line above the rows.
std::string legend(const std::vector<std::string>& kinds) {
  std::string text;
  double left = kLeft;
  for (const std::string& kind : kinds) {
    text += print("<rect class=\"%s\" x=\"%.1f\" y=\"6\" width=\"14\" height=\"12\"/>\n", kind.c_str(), left);
    text += words(left + 19, 16, "start", kind);
    left += 38 + static_cast<double>(kind.size()) * kLetter;
  }
  return text;
}

}  // namespace

std::string gantt_svg(const Gantt& gantt) {
  const Scale x{0, gantt.end, kLeft, kWidth - 10};
  const double pixel = gantt.end / (kWidth - kLeft);
  std::string body = legend(gantt.kinds);
  double top = gantt.kinds.empty() ? 8 : 34;
  for (const GanttRow& row : gantt.rows) {
    std::vector<Bar> bars = row.bars;
    // Of those that begin in one pixel the longest first: the upper line is that of the work all else runs beside.
    const auto order = [pixel](const Bar& b) { return std::make_pair(std::floor(b.begin / pixel), -b.seconds); };
    std::stable_sort(bars.begin(), bars.end(), [&](const Bar& a, const Bar& b) { return order(a) < order(b); });
    const std::vector<std::size_t> lines = lines_of(bars);
    std::size_t most = 0;
    bool thin = false;
    for (std::size_t i = 0; i < bars.size(); ++i) {
      most = std::max(most, lines[i] + 1);
      thin = thin || bars[i].thin;
    }
    body += words(kLeft - 8, top + 14, "end", row.label);
    std::map<std::pair<std::string, std::size_t>, double> drawn_to;  // by kind and line
    for (std::size_t i = 0; i < bars.size(); ++i) {
      const Bar& bar = bars[i];
      const std::size_t line = bar.thin ? most : lines[i];
      double& drawn = drawn_to.try_emplace({bar.kind, line}, -1).first->second;
      const double end = bar.begin + bar.seconds;
      if (end <= drawn + pixel / 2) continue;  // no wider than what is there
      const double left = x(std::max(bar.begin, 0.0)), width = std::max(x(end) - left, 0.8);
      drawn = std::max(end, bar.begin + pixel * 0.8);
      const double y = top + static_cast<double>(line) * kLine, height = bar.thin ? kThin : kLine - 3;
      body += print("<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>", bar.kind.c_str(),
                    left, y, width, height) +
              escaped(bar.title) + "</title></rect>\n";
      if (!bar.thin && static_cast<double>(bar.text.size()) * kLetter + 6 < width) {
        body += words(left + width / 2, y + 14, "middle", bar.text, " class=\"in\"");
      }
    }
    top += static_cast<double>(std::max<std::size_t>(most, 1)) * kLine + (thin ? kThin + 2 : 0) + 6;
  }
  std::string svg = open_svg(kWidth, top + 26, gantt.label, "wide");
  for (int i = 0; i <= 5; ++i) {
    const double second = gantt.end * i / 5;
    svg += line(x(second), gantt.kinds.empty() ? 4 : 26, x(second), top + 4);
    svg += words(x(second), top + 20, i == 5 ? "end" : "middle", i == 5 ? duration(second) : print("%.3g", second),
                 " class=\"soft\"");
  }
  return svg + body + "</svg>";
}

}  // namespace trireme::report
