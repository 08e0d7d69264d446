#pragma once
// Words of a prompt by which the fake families are told what to cost and how to fail; others are ignored:
//   cost=SECONDS   time the item takes in all, spread over its passes and layers
//   length=N       tokens to write before the end, for text; else as many as max_new_tokens
//   fail           the item fails;   throw  an error of the program;   crash=SIGNAL  the process kills itself
//   oom=N          memory is short the first N times that the item comes to a layer; oom_decode=N  to its decoding
//   oom_above=N    memory is short in a unit of more than N items (text)
//   hang           a layer that never returns;   fail_layer=N  the item fails in that layer, from 0 (pictures)

#include <cstddef>
#include <map>
#include <string>

namespace trireme {

struct Directives {
  double cost_seconds = 0;
  int length = 0;  // 0: not said
  bool fail = false, throw_error = false, hang = false;
  int crash_signal = 0;
  int fail_layer = -1;  // -1: none
  int oom = 0, oom_decode = 0;
  std::size_t oom_above = static_cast<std::size_t>(-1);  // items

  explicit Directives(const std::string& prompt);
  /// What one layer does: takes its share of the cost, throws, crashes or hangs. `id` is for the error.
  void act(const std::string& id, double share) const;
};

/// What memory a fake device still lacks: throws as LibTorch's allocator does.
class ShortMemory {
 public:
  /// The first `times` times it is asked for `what`.
  void refuse(const std::string& what, int times);
  static void refuse_if(bool too_much);

 private:
  std::map<std::string, int> refused_;
};

}  // namespace trireme
