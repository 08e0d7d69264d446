#include "common/start_up.h"

#include <array>
#include <cstdio>

namespace trireme {
namespace {

constexpr double kTooShort = 0.001;

std::string rounded(double seconds) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f", seconds);
  return text.data();
}

}  // namespace

StartUp::StartUp(double now, double age) : steps_{{"libraries", age}}, before_(now) {}

void StartUp::done(std::string_view step, double now) { done(step, now, {}); }

void StartUp::done(std::string_view step, double now, const std::vector<std::pair<std::string, double>>& parts) {
  double rest = now - before_;
  for (const auto& [name, seconds] : parts) {
    if (seconds < kTooShort) continue;
    steps_.emplace_back(name, seconds);
    rest -= seconds;
  }
  steps_.emplace_back(step, rest);
  before_ = now;
}

double StartUp::seconds() const {
  double sum = 0;
  for (const auto& [name, seconds] : steps_) sum += seconds;
  return sum;
}

std::string StartUp::to_line() const {
  std::string line = "ready " + rounded(seconds()) + " s after the start:";
  const char* separator = " ";
  for (const auto& [name, seconds] : steps_) {
    line += separator + name + " " + rounded(seconds);
    separator = " · ";
  }
  return line;
}

}  // namespace trireme
