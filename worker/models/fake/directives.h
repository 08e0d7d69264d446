#pragma once
// Words of a prompt by which the fake families are told what to cost and how to fail; others are ignored:
//   cost=SECONDS   time the item takes in all, spread over its passes and layers
//   length=N       tokens to write before the end, for text; else as many as max_new_tokens
//   fail           the item fails;   throw  an error of the program;   crash=SIGNAL  the process kills itself
//   hang           a layer that never returns;   fail_layer=N  the item fails in that layer, from 0 (pictures)

#include <string>

namespace trireme {

struct Directives {
  double cost_seconds = 0;
  int length = 0;  // 0: not said
  bool fail = false, throw_error = false, hang = false;
  int crash_signal = 0;
  int fail_layer = -1;  // -1: none

  explicit Directives(const std::string& prompt);
  /// What one layer does: takes its share of the cost, throws, crashes or hangs. `id` is for the error.
  void act(const std::string& id, double share) const;
};

}  // namespace trireme
