#include "common/did_you_mean.h"

#include <algorithm>

namespace trireme {
namespace {

constexpr std::size_t kLongestWord = 64;  // longer ones are no typing mistake, and the table grows with the square
constexpr std::size_t kShortList = 12;

char fold(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return c == '-' ? '_' : c;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const char x = fold(a[i - 1]), y = fold(b[j - 1]);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (x != y)});
      if (i > 1 && j > 1 && x == fold(b[j - 2]) && fold(a[i - 2]) == y) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known) {
  if (word.size() <= kLongestWord) {
    std::string_view best;
    std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (const std::string_view candidate : known) {
      const std::size_t distance = edit_distance(word, candidate);
      if (distance < best_distance && distance < candidate.size()) {
        best = candidate;
        best_distance = distance;
      }
    }
    if (!best.empty()) return "; did you mean '" + std::string(best) + "'?";
  }
  if (known.empty() || known.size() > kShortList) return "";
  std::string list;
  for (const std::string_view candidate : known) list += (list.empty() ? "" : ", ") + std::string(candidate);
  return "; known: " + list;
}

}  // namespace trireme
