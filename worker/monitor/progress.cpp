#include "worker/monitor/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace trireme {
namespace {

// Seconds between two draws of the bar; between two lines without and with news, which is 1 % of the items.
constexpr double kBarInterval = 0.2, kLineInterval = 30, kLeastLineInterval = 2;

std::string duration(double seconds) {
  const long s = std::lround(std::max(0.0, seconds));
  char text[32];
  if (s >= 3600) {
    std::snprintf(text, sizeof text, "%ldh%02ldm", s / 3600, s / 60 % 60);
  } else if (s >= 60) {
    std::snprintf(text, sizeof text, "%ldm%02lds", s / 60, s % 60);
  } else {
    std::snprintf(text, sizeof text, "%lds", s);
  }
  return text;
}

std::uint64_t settled(const ProgressState& state) { return state.done + state.failed; }

/// A middle dot is two bytes and one column.
int columns_of(const std::string& text) {
  return static_cast<int>(text.size()) - static_cast<int>(std::count(text.begin(), text.end(), '\xc2'));
}

/// Without its last figures, as many as it takes.
std::string cut_to(std::string text, int columns) {
  while (columns_of(text) > columns) {
    const std::size_t dot = text.rfind(" · ");
    if (dot == std::string::npos) break;
    text.resize(dot);
  }
  return text;
}

}  // namespace

ProgressMode choose_progress(std::string_view wanted, bool stderr_is_terminal, bool under_launcher) {
  if (wanted == "none") return ProgressMode::none;
  if (wanted == "bar") return ProgressMode::bar;
  if (wanted == "lines") return ProgressMode::lines;
  return stderr_is_terminal && !under_launcher ? ProgressMode::bar : ProgressMode::lines;
}

double items_per_second(const ProgressState& state) {
  return state.seconds > 0 ? static_cast<double>(settled(state) - state.done_before) / state.seconds : 0;
}

double tokens_per_second(const ProgressState& state) {
  return state.seconds > 0 ? static_cast<double>(state.tokens) / state.seconds : 0;
}

double seconds_left(const ProgressState& state) {
  const double rate = items_per_second(state);
  return rate > 0 ? static_cast<double>(state.total - settled(state)) / rate : -1;
}

std::string describe(const ProgressState& state) {
  std::string text = std::to_string(settled(state)) + "/" + std::to_string(state.total) + " done";
  if (state.failed > 0) text += " · " + std::to_string(state.failed) + " failed";
  const char* item = state.text ? "req" : "img";
  if (state.tokens > 0) {
    char figure[64];
    const double rate = tokens_per_second(state);
    std::snprintf(figure, sizeof figure, " · %llu tokens · %.*f tok/s", static_cast<unsigned long long>(state.tokens),
                  rate < 100 ? 1 : 0, rate);
    text += figure;
  }
  if (const double rate = items_per_second(state); rate > 0) {
    char figure[48];
    std::snprintf(figure, sizeof figure, " · %.3g %s/s", rate, item);
    text += figure;
    if (settled(state) < state.total) text += " · " + duration(seconds_left(state)) + " left";
  }
  if (state.slowest_replica >= 0) {
    char figure[64];
    std::snprintf(figure, sizeof figure, " · slowest replica %d (%.3g s/%s)", state.slowest_replica,
                  state.slowest_seconds_per_item, item);
    text += figure;
  }
  return text;
}

std::string draw_bar(const ProgressState& state, int columns) {
  const std::string text = cut_to(describe(state), columns - 1);
  const int width = std::min(30, columns - columns_of(text) - 4);
  if (width < 5) return text;
  const double share = state.total == 0 ? 1.0 : static_cast<double>(settled(state)) / static_cast<double>(state.total);
  const int filled = static_cast<int>(share * width);
  std::string bar(static_cast<std::size_t>(filled), '=');
  if (filled < width) bar += '>';
  bar.resize(static_cast<std::size_t>(width), ' ');
  return "[" + bar + "] " + text;
}

bool ProgressLine::due(double seconds) const {
  if (mode_ == ProgressMode::none) return false;
  return seconds - last_seconds_ >= (mode_ == ProgressMode::bar ? kBarInterval : kLeastLineInterval);
}

void ProgressLine::update(const ProgressState& state) {
  if (!due(state.seconds)) return;
  if (mode_ == ProgressMode::bar) {
    winsize window{};
    const int columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 ? window.ws_col : 80;
    std::fprintf(stderr, "\r\x1b[K%s", draw_bar(state, columns).c_str());
    std::fflush(stderr);
  } else {
    const bool one_percent = (settled(state) - last_done_) * 100 >= std::max<std::uint64_t>(state.total, 1);
    const bool news = settled(state) != last_done_;
    if (!(news && one_percent) && state.seconds - last_seconds_ < kLineInterval) return;
    std::fprintf(stderr, "trireme: %s\n", describe(state).c_str());
  }
  last_seconds_ = state.seconds;
  last_done_ = settled(state);
}

void ProgressLine::finish(const ProgressState& state) {
  if (mode_ == ProgressMode::none) return;
  std::fprintf(stderr, mode_ == ProgressMode::bar ? "\r\x1b[K%s\n" : "trireme: %s\n", describe(state).c_str());
}

}  // namespace trireme
