#include "launcher/report/numbers.h"

#include <cmath>

#include "common/print.h"

namespace trireme::report {

std::string fixed(double value, int digits) { return print("%.*f", digits, value); }

std::string duration(double seconds) {
  if (seconds < 10) return fixed(seconds, 3) + " s";
  if (seconds < 120) return fixed(seconds, 1) + " s";
  const long whole = std::lround(seconds);
  if (whole < 3600) return print("%ld min %02ld s", whole / 60, whole % 60);
  return print("%ld h %02ld min", whole / 3600, whole / 60 % 60);
}

std::string percent(double share) { return fixed(100 * share, 1) + " %"; }

std::string gib(double bytes) { return fixed(bytes / (1u << 30), 2) + " GiB"; }

std::string or_dash(const std::optional<double>& value, int digits) { return value ? fixed(*value, digits) : "-"; }

std::string count(std::uint64_t number, const std::string& noun) {
  return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
}

}  // namespace trireme::report
