#include "worker/monitor/trace.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "common/files.h"
#include "common/print.h"
#include "common/run_directory.h"

namespace trireme {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<const char*, 6> kKinds{"wait", "slot", "encode", "prefill", "denoise", "decode"};
enum Thread { device, beside, waiting, results };
constexpr std::array<const char*, 4> kThreads{"device", "beside the ring", "waiting", "results"};

const char* name_of(SpanKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

Thread thread_of(const Span& span, bool cut) {
  if (span.kind == SpanKind::wait) return waiting;
  return cut && span.kind != SpanKind::slot ? beside : device;
}

Json event(const std::string& name, int rank, Thread thread, double begin, double seconds) {
  return {{"name", name},      {"ph", "X"},           {"pid", rank}, {"tid", static_cast<int>(thread)},
          {"ts", begin * 1e6}, {"dur", seconds * 1e6}};
}

std::string title_of(const Span& span) {
  std::string title = std::string(name_of(span.kind)) + " unit " + std::to_string(span.unit);
  if (span.slot >= 0) {
    title += " pass " + std::to_string(span.pass) + " half " + std::to_string(span.half) + " (slot " +
             std::to_string(span.slot) + ")";
  }
  return title;
}

constexpr double kLeft = 70, kTop = 30, kRow = 34, kBar = 16, kWidth = 1200;

}  // namespace

std::string chrome_trace(const Timeline& timeline) {
  Json events = Json::array();
  const bool cut = timeline.layout.stages > 1;
  for (const RankReport& rank : timeline.ranks) {
    const std::string name = "rank " + std::to_string(rank.rank) + " on " + rank.host;
    events.push_back({{"name", "process_name"}, {"ph", "M"}, {"pid", rank.rank}, {"args", {{"name", name}}}});
    for (std::size_t thread = 0; thread < kThreads.size(); ++thread) {
      events.push_back({{"name", "thread_name"},
                        {"ph", "M"},
                        {"pid", rank.rank},
                        {"tid", thread},
                        {"args", {{"name", kThreads[thread]}}}});
    }
    for (const Span& span : rank.spans) {
      Json one = event(title_of(span), rank.rank, thread_of(span, cut), span.begin, span.seconds);
      one["cat"] = name_of(span.kind);
      one["args"] = {{"unit", span.unit}, {"pass", span.pass}, {"half", span.half}, {"slot", span.slot}};
      events.push_back(std::move(one));
    }
  }
  for (const ResultSpan& span : timeline.results) {
    const bool transfer = span.kind == ResultSpan::Kind::transfer;
    Json one = event((transfer ? "transfer of " : "write ") + span.what, timeline.layout.last_rank(span.replica),
                     results, span.begin - timeline.clock, span.seconds);
    one["cat"] = transfer ? "transfer" : "write";
    events.push_back(std::move(one));
  }
  const Json all{
      {"displayTimeUnit", "ms"}, {"otherData", {{"launch", timeline.launch}}}, {"traceEvents", std::move(events)}};
  return all.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

std::string gantt_svg(const Timeline& timeline) {
  double end = 1e-9;
  for (const RankReport& rank : timeline.ranks) {
    for (const Span& span : rank.spans) end = std::max(end, span.begin + span.seconds);
  }
  const double height = kTop + kRow * static_cast<double>(timeline.ranks.size()) + 30;
  std::string svg = print(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
      "font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%%\" height=\"100%%\" "
      "fill=\"white\"/>\n<text x=\"%.0f\" y=\"18\">%.3f s; a colour a unit, dark: prefill or first "
      "pass, thin: encoding and decoding, grey: waiting</text>\n",
      kLeft + kWidth + 20, height, kLeft, end);
  double y = kTop;
  for (const RankReport& rank : timeline.ranks) {
    svg += print("<text x=\"4\" y=\"%.1f\">rank %d</text>\n", y + kBar - 3, rank.rank);
    for (const Span& span : rank.spans) {
      const double x = kLeft + std::max(0.0, span.begin) / end * kWidth, width = span.seconds / end * kWidth;
      const bool thin = thread_of(span, timeline.layout.stages > 1) == beside, wait = span.kind == SpanKind::wait;
      const int hue = static_cast<int>(span.unit * 137 % 360);  // neighbours far apart
      const std::string fill = wait ? "#ddd" : print("hsl(%d,60%%,%d%%)", hue, span.pass == 0 ? 45 : 62);
      svg += print(
          "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" fill=\"%s\"><title>%s: %.3f ms</title></rect>\n",
          x, thin ? y + kBar + 1 : y, std::max(width, 0.05), thin ? 6.0 : kBar, fill.c_str(), title_of(span).c_str(),
          span.seconds * 1e3);
    }
    y += kRow;
  }
  for (int tick = 0; tick <= 10; ++tick) {
    const double x = kLeft + kWidth * tick / 10;
    svg += print("<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">%.2f</text>\n", x, y + 12, end * tick / 10);
  }
  return svg + "</svg>\n";
}

void write_timeline(const std::filesystem::path& folder, const Timeline& timeline) {
  write_file(RunPaths{folder}.trace(), chrome_trace(timeline));
  write_file(folder / "timeline.svg", gantt_svg(timeline));
}

}  // namespace trireme
