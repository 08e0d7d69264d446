#pragma once
// What a user asks for (an item) and what is sent, redone and journalled (a unit). Plain data, the same on every rank.

#include <cstdint>
#include <string>
#include <vector>

namespace trireme {

/// One result wanted. All values are final: defaults of the job file and of the checkpoint are filled in, and the bits
/// of the result depend on nothing but these values, the model and the numeric settings.
struct Item {
  std::string id;           // a safe file name, unique in the input
  std::uint64_t index = 0;  // place in the input, from 0: the order of results.jsonl
  std::string prompt;       // valid UTF-8, may hold NUL
  std::string negative_prompt;
  std::uint64_t seed = 0;
  int width = 0, height = 0;     // pixels
  int steps = 0;                 // forwards of the transformer
  double guidance = 0;           // 0 = off
  double cfg_truncation = 1;     // guidance is off at model times above this
  double cfg_normalization = 0;  // largest ratio of the norms of guided and positive prediction; 0 = off
  double shift = 1;              // of the flow-match schedule
};

/// One item, or a batch formed from the whole input before dispatch; never split or merged afterwards.
struct Unit {
  std::uint64_t index = 0;  // place in the list of all units of the input
  std::vector<Item> items;
  int attempt = 1;  // counts from 1
};

}  // namespace trireme
