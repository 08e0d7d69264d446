#pragma once
// Strings in order, so that all of them that a text goes on with are found in one walk along it.

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/utf8.h"

namespace trireme {

class PrefixIndex {
 public:
  PrefixIndex() = default;
  /// No string is empty. Throws Error(bad_data) starting with `place` when one is there twice.
  PrefixIndex(std::vector<std::pair<std::string, int>> strings, const std::string& place)
      : sorted_(std::move(strings)) {
    std::sort(sorted_.begin(), sorted_.end());
    for (std::size_t i = 0; i < sorted_.size(); ++i) {
      may_start_[static_cast<unsigned char>(sorted_[i].first.front())] = true;
      if (i > 0 && sorted_[i].first == sorted_[i - 1].first) {
        throw Error(ExitCode::bad_data, place + ": '" + printable(sorted_[i].first) + "' is there twice");
      }
    }
  }

  bool may_start(char first) const { return may_start_[static_cast<unsigned char>(first)]; }

  /// Calls visit(end, value) for every string that stands in `text` at `begin`, the shortest first.
  template <class Visit>
  void for_each_at(std::string_view text, std::size_t begin, const Visit& visit) const {
    // [low, high) are the strings that agree with the text in their first `length` bytes, the shortest at low.
    auto low = sorted_.begin(), high = sorted_.end();
    for (std::size_t length = 0; low != high; ++length) {
      if (low->first.size() == length) {
        visit(begin + length, low->second);
        ++low;
      }
      if (begin + length == text.size()) break;
      const auto byte = static_cast<unsigned char>(text[begin + length]);
      const auto byte_of = [&](const auto& entry) { return static_cast<unsigned char>(entry.first[length]); };
      low = std::partition_point(low, high, [&](const auto& entry) { return byte_of(entry) < byte; });
      high = std::partition_point(low, high, [&](const auto& entry) { return byte_of(entry) == byte; });
    }
  }

 private:
  std::vector<std::pair<std::string, int>> sorted_;
  std::array<bool, 256> may_start_{};
};

}  // namespace trireme
