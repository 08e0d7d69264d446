#pragma once
// What the blocks of hopper_attention.cu work on: tiles in shared memory, the copies that fill them, and the products
// of a warpgroup. CuTe's terms.

#include <cuda_bf16.h>

#include "cute/tensor.hpp"
#include "worker/kernels/launch.h"
#include "worker/kernels/ring.cuh"

namespace trireme::kernels::attention {

using namespace cute;
using Half = bfloat16_t;

constexpr int kGroup = 128;     // threads of a warpgroup
constexpr int kGroups = 2;      // that multiply
constexpr int kGroupRows = 64;  // queries of one
static_assert(kGroups * kGroupRows == kAttentionRows);

using Rows = Int<kGroupRows>;
using Queries = Int<kAttentionRows>;
using Keys = Int<kAttentionKeys>;
using Width = Int<kAttentionWidth>;

constexpr int kStages = 2;
// A row of 96 values is three times 64 bytes, so that swizzles span 64. All keys of a column's 64 bytes lie together:
// that is what one copy by TMA can bring.
using SharedQ = decltype(tile_to_shape(GMMA::Layout_K_SW64_Atom<Half>{}, Shape<Queries, Width, Int<kStages>>{}));
using SharedK = decltype(tile_to_shape(GMMA::Layout_K_SW64_Atom<Half>{}, Shape<Keys, Width, Int<kStages>>{}));
using SharedV =
    decltype(tile_to_shape(GMMA::Layout_MN_SW64_Atom<Half>{}, Shape<Width, Keys, Int<kStages>>{}, Step<_2, _1, _3>{}));

/// [64, keys] of q kᵀ, both from shared memory.
using Scores = decltype(make_tiled_mma(GMMA::ss_op_selector<Half, Half, float, Shape<Rows, Keys, Width>>()));
/// [64, 96] of weights and values, the weights from registers.
using Values = decltype(make_tiled_mma(
    GMMA::rs_op_selector<Half, Half, float, Shape<Rows, Width, Keys>, GMMA::Major::K, GMMA::Major::MN>()));

/// [tokens, width, heads, sequences] in memory, and with the first two exchanged.
using Tokens = Layout<Shape<int, Width, int, int>, Stride<std::int64_t, _1, Width, std::int64_t>>;
using Turned = Layout<Shape<Width, int, int, int>, Stride<_1, std::int64_t, Width, std::int64_t>>;

template <class Global, class Shared, class Tile>
auto copy_by_tma(const void* data, const Global& layout, const Shared& shared, const Tile& tile) {
  const auto all = make_tensor(make_gmem_ptr(static_cast<const Half*>(data)), layout);
  return make_tma_copy(SM90_TMA_LOAD{}, all, take<0, 2>(shared), tile, _1{});
}
inline auto copy_q(const void* q, const Tokens& layout) {
  return copy_by_tma(q, layout, SharedQ{}, Shape<Queries, Width>{});
}
inline auto copy_k(const void* k, const Tokens& layout) {
  return copy_by_tma(k, layout, SharedK{}, Shape<Keys, Width>{});
}
inline auto copy_v(const void* v, const Turned& layout) {
  return copy_by_tma(v, layout, SharedV{}, Shape<Width, Keys>{});
}

/// In the shared memory of a block.
struct Shared {
  static constexpr int kAligned = 1024;  // bytes

  alignas(kAligned) Half q[cosize_v<SharedQ>];
  alignas(kAligned) Half k[cosize_v<SharedK>];
  alignas(kAligned) Half v[cosize_v<SharedV>];
  Ring<kStages> queries, keys, values;
  float order[(kGroups + 1) * kGroup];  // written, never read
};

/// What a block does at a time: the keys of tiles [first, end) for one tile of queries of one head.
struct Share {
  int row_tile, head, sequence, first, end;
  int part;  // of the partial sums; -1: all keys, so the result is written
};

struct Params {
  decltype(copy_q(nullptr, Tokens{})) q;
  decltype(copy_k(nullptr, Tokens{})) k;
  decltype(copy_v(nullptr, Turned{})) v;
  __nv_bfloat16* out;
  float* partial;
  int sequences, queries, keys, heads, kv_heads;
  int row_tiles, key_tiles;
  AttentionShares shares;
  float scale;  // of scores, times log2(e)

  CUTE_HOST_DEVICE int all_shares() const { return sequences * (shares.whole + shares.split * shares.splits); }

  /// Whole tiles of all sequences come first.
  CUTE_DEVICE Share share(int i) const {
    Share s;
    int tile;
    if (i < sequences * shares.whole) {
      s.sequence = i / shares.whole, tile = i % shares.whole;
      s.first = 0, s.end = key_tiles, s.part = -1;
    } else {
      s.part = i - sequences * shares.whole;
      const int split = s.part / shares.splits, part = s.part % shares.splits;
      s.sequence = split / shares.split, tile = shares.whole + split % shares.split;
      s.first = part * key_tiles / shares.splits, s.end = (part + 1) * key_tiles / shares.splits;
    }
    s.head = tile / row_tiles, s.row_tile = tile % row_tiles;
    return s;
  }

  CUTE_DEVICE __nv_bfloat16* out_of(const Share& s, int query) const {
    return out + ((static_cast<std::int64_t>(s.sequence) * queries + query) * heads + s.head) * kAttentionWidth;
  }

  /// Sums of values [128, 96] of a part of a tile, and behind them largest score and sum of weights of each row.
  CUTE_DEVICE float* part_values(int part) const { return partial + part * kAttentionPart; }
  CUTE_DEVICE float2* part_rows(int part) const {
    return reinterpret_cast<float2*>(part_values(part) + kAttentionRows * kAttentionWidth);
  }
};

}  // namespace trireme::kernels::attention
