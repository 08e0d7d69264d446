#include "common/lower_bound.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>

namespace trireme {

double lower_bound_seconds(std::vector<double> unit_seconds, int replicas) {
  if (unit_seconds.empty()) return 0;
  std::vector<double>& longest = unit_seconds;
  std::sort(longest.begin(), longest.end(), std::greater<>());
  const auto among = static_cast<std::size_t>(std::max(1, replicas));
  double bound = std::accumulate(longest.begin(), longest.end(), 0.0) / static_cast<double>(among);
  bound = std::max(bound, longest.front());
  for (std::size_t k = 1; k * among < longest.size(); ++k) {
    const auto last = longest.begin() + static_cast<std::ptrdiff_t>(k * among + 1);
    bound = std::max(bound, std::accumulate(last - static_cast<std::ptrdiff_t>(k + 1), last, 0.0));
  }
  return bound;
}

std::vector<double> without_overlap(std::vector<double> unit_seconds, double busy_seconds) {
  const double all = std::accumulate(unit_seconds.begin(), unit_seconds.end(), 0.0);
  if (all <= busy_seconds) return unit_seconds;
  for (double& seconds : unit_seconds) seconds *= busy_seconds / all;
  return unit_seconds;
}

}  // namespace trireme
