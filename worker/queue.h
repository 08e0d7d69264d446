#pragma once
// Ways to take from a queue what others wait for.

#include <deque>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

namespace trireme {

/// The first one leaves the queue; none when it is empty.
template <class T>
std::optional<T> take_first(std::deque<T>& queue) {
  if (queue.empty()) return std::nullopt;
  std::optional<T> first(std::move(queue.front()));
  queue.pop_front();
  return first;
}

/// All leave it, in their order.
template <class T>
std::vector<T> take_all(std::deque<T>& queue) {
  std::vector<T> all(std::make_move_iterator(queue.begin()), std::make_move_iterator(queue.end()));
  queue.clear();
  return all;
}

}  // namespace trireme
