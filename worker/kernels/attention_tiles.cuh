#pragma once
// What the blocks of hopper_attention.cu work on: tiles in shared memory, the copies that fill and empty them, and the
// products of a warpgroup. CuTe's terms.

#include <cuda_bf16.h>

#include <type_traits>

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
constexpr int kStages = 2;

/// What a block does at a time: the keys of tiles [first, end) for one tile of queries of one head.
struct Share {
  int row_tile, head, sequence, first, end;
  int part;  // of the partial sums; -1: all keys, so the result is written
};

/// Of a warpgroup's queries in shared memory.
CUTE_DEVICE int tile_of(const Place<kStages>& at, int group) { return at.stage * kGroups + group; }

/// For heads of `width`.
template <int width>
struct Tiles {
  static constexpr int kWidth = width, kKeys = attention_keys(width);
  using Rows = Int<kGroupRows>;
  using Keys = Int<kKeys>;
  using Width = Int<kWidth>;

  // A row of 128 values is twice 128 bytes, one of 96 three times 64: what swizzles span. All rows of a column of
  // spans lie together: that is what one copy by TMA can bring. Queries lie a warpgroup's behind the other's.
  static constexpr bool kWide = width % 64 == 0;
  using ByRows = std::conditional_t<kWide, GMMA::Layout_K_SW128_Atom<Half>, GMMA::Layout_K_SW64_Atom<Half>>;
  using ByColumns = std::conditional_t<kWide, GMMA::Layout_MN_SW128_Atom<Half>, GMMA::Layout_MN_SW64_Atom<Half>>;
  using SharedQ = decltype(tile_to_shape(ByRows{}, Shape<Rows, Width, Int<kGroups * kStages>>{}));
  using SharedK = decltype(tile_to_shape(ByRows{}, Shape<Keys, Width, Int<kStages>>{}));
  using SharedV = decltype(tile_to_shape(ByColumns{}, Shape<Width, Keys, Int<kStages>>{}, Step<_2, _1, _3>{}));

  /// [64, keys] of q kᵀ, both from shared memory.
  using Scores = decltype(make_tiled_mma(GMMA::ss_op_selector<Half, Half, float, Shape<Rows, Keys, Width>>()));
  /// [64, width] of weights and values, the weights from registers.
  using Values = decltype(make_tiled_mma(
      GMMA::rs_op_selector<Half, Half, float, Shape<Rows, Width, Keys>, GMMA::Major::K, GMMA::Major::MN>()));

  /// [tokens, width, heads, sequences] in memory, and with the first two exchanged.
  using Tokens = Layout<Shape<int, Width, int, int>, Stride<std::int64_t, _1, Width, std::int64_t>>;
  using Turned = Layout<Shape<Width, int, int, int>, Stride<_1, std::int64_t, Width, std::int64_t>>;

  template <class Way, class Memory, class Global, class SharedTiles, class Tile>
  static auto copy_by_tma(Way way, Memory* data, const Global& layout, const SharedTiles& shared, const Tile& tile) {
    return make_tma_copy(way, make_tensor(make_gmem_ptr(data), layout), take<0, 2>(shared), tile, _1{});
  }
  static auto copy_rows(const void* q, const Tokens& layout) {
    return copy_by_tma(SM90_TMA_LOAD{}, static_cast<const Half*>(q), layout, SharedQ{}, Shape<Rows, Width>{});
  }
  static auto copy_keys(const void* k, const Tokens& layout) {
    return copy_by_tma(SM90_TMA_LOAD{}, static_cast<const Half*>(k), layout, SharedK{}, Shape<Keys, Width>{});
  }
  static auto copy_values(const void* v, const Turned& layout) {
    return copy_by_tma(SM90_TMA_LOAD{}, static_cast<const Half*>(v), layout, SharedV{}, Shape<Width, Keys>{});
  }
  static auto copy_out(void* out, const Tokens& layout) {
    return copy_by_tma(SM90_TMA_STORE{}, static_cast<Half*>(out), layout, SharedQ{}, Shape<Rows, Width>{});
  }

  /// In the shared memory of a block.
  struct Shared {
    static constexpr int kAligned = 1024;  // bytes

    alignas(kAligned) Half q[cosize_v<SharedQ>];  // a share's result waits in the place of its queries
    alignas(kAligned) Half k[cosize_v<SharedK>];
    alignas(kAligned) Half v[cosize_v<SharedV>];
    Ring<kStages> queries, keys, values;
    cutlass::arch::ClusterBarrier results[kStages];
    float order[kGroups * kGroup];  // written, never read
  };

  struct Params {
    decltype(copy_rows(nullptr, Tokens{})) q;
    decltype(copy_keys(nullptr, Tokens{})) k;
    decltype(copy_values(nullptr, Turned{})) v;
    decltype(copy_out(nullptr, Tokens{})) out;
    __nv_bfloat16* out_data;
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
      return out_data + ((static_cast<std::int64_t>(s.sequence) * queries + query) * heads + s.head) * kWidth;
    }

    /// Sums of values [128, width] of a part of a tile, and behind them largest score and sum of weights of each row.
    CUTE_DEVICE float* part_values(int part) const { return partial + part * attention_part(kWidth); }
    CUTE_DEVICE float2* part_rows(int part) const {
      return reinterpret_cast<float2*>(part_values(part) + kAttentionRows * kWidth);
    }
  };
};

}  // namespace trireme::kernels::attention
