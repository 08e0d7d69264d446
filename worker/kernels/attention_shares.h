#pragma once
// How the tiles of an attention are dealt out to the multiprocessors of a GPU: in full turns each takes whole tiles;
// the keys of the tiles that are left over are cut, so that the last turn keeps as many busy as it can. A sequence's
// shares depend on that sequence alone, so that its bits are those of a call of its own.

#include <algorithm>

namespace trireme::kernels {

/// Of one sequence.
struct AttentionShares {
  int whole = 0;   // tiles that one block takes with all keys,
  int split = 0;   // and those behind them, whose keys are cut into
  int splits = 1;  // this many parts
};

constexpr AttentionShares attention_shares(int tiles, int key_tiles, int multiprocessors) {
  const int left = tiles % multiprocessors;
  const int splits = left == 0 ? 1 : std::min(multiprocessors / left, key_tiles);
  return splits < 2 ? AttentionShares{tiles, 0, 1} : AttentionShares{tiles - left, left, splits};
}

}  // namespace trireme::kernels
