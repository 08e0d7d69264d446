// FlashAttention 3's scheme by CuTe (arXiv 2407.08608): one thread fills shared memory by TMA, one empties it; two
// warpgroups of 64 queries each take turns at the tensor cores, one computing the softmax of its scores while the other
// multiplies. Within a turn the next tile's scores are asked for before this tile's values are summed up. Keys are
// walked from the last tile, the one that may end before its border, to the first. Sums have a fixed order.
#include "cutlass/arch/reg_reconfig.h"
#include "worker/kernels/attention_copies.cuh"
#include "worker/kernels/attention_tiles.cuh"
#include "worker/kernels/bfloat16_pair.cuh"
#include "worker/kernels/online_softmax.cuh"

namespace trireme::kernels {
namespace attention {
namespace {

constexpr int kThreads = (kGroups + 1) * kGroup;
constexpr int kMostShared = 227 * 1024;  // bytes of a block
template <class T>
constexpr int kShared = sizeof(typename T::Shared) + T::Shared::kAligned;

/// The warpgroups take turns at the tensor cores.
class Turns {
 public:
  CUTE_DEVICE explicit Turns(int group) : group_(group) {
    if (group != 0) pass();  // the first goes first
  }
  CUTE_DEVICE void wait() { cutlass::arch::NamedBarrier::sync(kGroups * kGroup, static_cast<unsigned>(group_)); }
  CUTE_DEVICE void pass() { cutlass::arch::NamedBarrier::arrive(kGroups * kGroup, static_cast<unsigned>(1 - group_)); }
  /// Nobody is left standing at a barrier.
  CUTE_DEVICE void end() {
    if (group_ == 0) wait();
  }

 private:
  int group_;
};

/// Of a part of the keys: sums of values, largest score and sum of weights as they are.
template <class T, class Sums>
CUTE_DEVICE void write_part(const typename T::Params& p, int part, const Sums& o, const OnlineSoftmax& softmax,
                            int group, int thread) {
  CUTE_UNROLL
  for (int i = 0; i < 2; ++i) {
    const float sum = softmax.sum(i);
    const int row = group * kGroupRows + thread / 32 * 16 + thread % 32 / 4 + 8 * i;
    if (thread % 4 == 0) p.part_rows(part)[row] = {softmax.largest(i), sum};
    float* const to = p.part_values(part) + row * T::kWidth + thread % 4 * 2;
    CUTE_UNROLL
    for (int c = 0; c < T::kWidth / 8; ++c) {
      *reinterpret_cast<float2*>(to + c * 8) = {o(c * 4 + i * 2), o(c * 4 + i * 2 + 1)};
    }
  }
}

/// Sums of values over sums of weights become the result, in shared memory.
template <class T, class Sums, class Rows>
CUTE_DEVICE void write(const Sums& o, const OnlineSoftmax& softmax, const Rows& rows, int thread) {
  const float inverse[2] = {__frcp_rn(softmax.sum(0)), __frcp_rn(softmax.sum(1))};
  auto rounded = make_fragment_like<Half>(o);
  auto pairs = recast<unsigned>(rounded);
  CUTE_UNROLL
  for (int r = 0; r < size(o); r += 2) {
    const float by = inverse[r / 2 % 2];
    pairs(r / 2) = packed(o(r) * by, o(r + 1) * by);
  }
  const auto to_shared = make_tiled_copy_C(Copy_Atom<SM90_U32x4_STSM_N, Half>{}, typename T::Values{});
  const auto own = to_shared.get_thread_slice(thread);
  copy(to_shared, own.retile_S(rounded), own.partition_D(rows));
  tma_store_fence();
}

/// A warpgroup that multiplies. While the values of a share's last tile are summed up, the next share's first scores
/// are made.
template <class T>
CUTE_DEVICE void attend(const typename T::Params& p, typename T::Shared& shared) {
  const int group = threadIdx.x / kGroup - 1, thread = threadIdx.x % kGroup;
  using Rows = typename T::Rows;
  typename T::Scores score;
  typename T::Values weigh;
  const auto own_score = score.get_thread_slice(thread);
  const auto own_weigh = weigh.get_thread_slice(thread);
  const auto in_q = make_tensor(make_smem_ptr(shared.q), typename T::SharedQ{});
  const auto in_k = make_tensor(make_smem_ptr(shared.k), typename T::SharedK{});
  const auto in_v = make_tensor(make_smem_ptr(shared.v), typename T::SharedV{});
  const auto q = own_score.make_fragment_A(own_score.partition_A(in_q));
  const auto k = own_score.make_fragment_B(own_score.partition_B(in_k));
  const auto v = own_weigh.make_fragment_B(own_weigh.partition_B(in_v));
  // Weights as the second product takes them: the scores' values in the same places.
  auto weights = make_tensor<Half>(Layout<Shape<Shape<_2, _2, _2>, _1, Int<T::kKeys / 16>>>{});
  auto o = partition_fragment_C(weigh, Shape<Rows, typename T::Width>{});
  Place<kStages> at_q, at_k, at_v;
  Turns turns(group);

  const auto new_scores = [&] { return partition_fragment_C(score, Shape<Rows, typename T::Keys>{}); };
  const auto begin_scores = [&](auto& s, int q_tile) {
    warpgroup_fence_operand(s);
    warpgroup_arrive();
    score.accumulate_ = GMMA::ScaleOut::Zero;
    CUTE_UNROLL
    for (int i = 0; i < size<2>(q); ++i) {
      gemm(score, q(_, _, i, q_tile), k(_, _, i, at_k.stage), s);
      score.accumulate_ = GMMA::ScaleOut::One;
    }
    warpgroup_commit_batch();
  };
  const auto begin_values = [&] {
    warpgroup_fence_operand(o);
    warpgroup_fence_operand(weights);
    warpgroup_arrive();
    weigh.accumulate_ = GMMA::ScaleOut::One;
    CUTE_UNROLL
    for (int i = 0; i < size<2>(weights); ++i) gemm(weigh, weights(_, _, i), v(_, _, i, at_v.stage), o);
    warpgroup_commit_batch();
  };
  const auto release = [&](Ring<kStages>& ring, Place<kStages>& at) {
    if (thread == 0) ring.release(at);
    ++at;
  };
  const auto end_scores = [&](auto& s) {
    warpgroup_fence_operand(s);
    release(shared.keys, at_k);
  };
  const auto end_values = [&] {
    warpgroup_wait<0>();
    warpgroup_fence_operand(o);
    warpgroup_fence_operand(weights);
    release(shared.values, at_v);
  };
  // The next scores and this tile's values in one turn; their softmax while the values are summed up.
  const auto turn = [&](auto& s, int q_tile) {
    shared.keys.wait(at_k);
    turns.wait();
    begin_scores(s, q_tile);
    shared.values.wait(at_v);
    begin_values();
    turns.pass();
    warpgroup_wait<1>();
    end_scores(s);
  };
  const auto hide_missing = [&](auto& s, const Share& share) {
    const int left = p.keys - (share.end - 1) * T::kKeys;  // keys of the last tile
    if (left >= T::kKeys) return;
    CUTE_UNROLL
    for (int r = 0; r < size(s); ++r) {
      if (r / 4 * 8 + thread % 4 * 2 + r % 2 >= left) s(r) = -INFINITY;
    }
  };
  // ptxas 13.0 would wait for the values first and compute the softmax then; over a store it moves no wait.
  const auto keep_order = [&](const OnlineSoftmax& softmax) {
    asm volatile("st.volatile.shared.f32 [%0], %1;" ::"r"(cast_smem_ptr_to_uint(shared.order + threadIdx.x - kGroup)),
                 "f"(softmax.own_sum(0) + softmax.own_sum(1))
                 : "memory");
  };
  const auto round_weights = [&](const auto& s) {
    auto pairs = recast<unsigned>(weights);
    CUTE_UNROLL
    for (int r = 0; r < size(s); r += 2) pairs(r / 2) = packed(s(r), s(r + 1));
  };
  const auto finish = [&](const Share& share, const OnlineSoftmax& softmax) {
    if (share.part < 0) {
      write<T>(o, softmax, in_q(_, _, tile_of(at_q, group)), thread);
    } else {
      write_part<T>(p, share.part, o, softmax, group, thread);
    }
    shared.results[at_q.stage].arrive();
    ++at_q;
  };

  int i = blockIdx.x;
  Share share = p.share(i);
  OnlineSoftmax softmax;
  {
    auto s = new_scores();
    shared.queries.wait(at_q);
    shared.keys.wait(at_k);
    turns.wait();
    begin_scores(s, tile_of(at_q, group));
    turns.pass();
    warpgroup_wait<0>();
    end_scores(s);
    hide_missing(s, share);
    softmax(s, p.scale);
    round_weights(s);
  }
  while (true) {
    clear(o);
    CUTE_NO_UNROLL
    for (int tile = share.end - 2; tile >= share.first; --tile) {
      auto s = new_scores();
      turn(s, tile_of(at_q, group));
      softmax(s, p.scale);
      keep_order(softmax);
      end_values();
      CUTE_UNROLL
      for (int r = 0; r < size(o); ++r) o(r) *= softmax.factor(r / 2 % 2);
      round_weights(s);
    }
    i += gridDim.x;
    if (i >= p.all_shares()) break;
    const Share next = p.share(i);
    Place<kStages> next_q = at_q;
    ++next_q;
    shared.queries.wait(next_q);
    auto s = new_scores();
    turn(s, tile_of(next_q, group));
    OnlineSoftmax of_next;
    hide_missing(s, next);
    of_next(s, p.scale);
    keep_order(of_next);
    end_values();
    finish(share, softmax);
    round_weights(s);
    share = next, softmax = of_next;
  }
  shared.values.wait(at_v);
  begin_values();
  end_values();
  cutlass::arch::NamedBarrier::sync(kGroup, static_cast<unsigned>(kGroups + group));  // all have read their queries
  finish(share, softmax);
  turns.end();
}

template <class T>
__global__ void __launch_bounds__(kThreads, 1) attention_kernel(const __grid_constant__ typename T::Params p) {
  using Shared = typename T::Shared;
  extern __shared__ char space[];
  constexpr std::uintptr_t kAligned = Shared::kAligned;
  auto& shared =
      *reinterpret_cast<Shared*>((reinterpret_cast<std::uintptr_t>(space) + kAligned - 1) / kAligned * kAligned);
  if (threadIdx.x == 0) {
    shared.queries.init(1), shared.keys.init(kGroups), shared.values.init(kGroups);
    for (auto& results : shared.results) results.init(kGroups * kGroup);
    cutlass::arch::fence_barrier_init();
  }
  __syncthreads();
  if (threadIdx.x < kGroup) {
    cutlass::arch::warpgroup_reg_dealloc<24>();
    if (threadIdx.x == 0) fill<T>(p, shared);
    if (threadIdx.x == 32) empty<T>(p, shared);
  } else {
    cutlass::arch::warpgroup_reg_alloc<240>();
    attend<T>(p, shared);
  }
}

/// Puts the parts of split tiles together: four columns a thread.
template <class T>
__global__ void add_parts(const __grid_constant__ typename T::Params p) {
  constexpr int kColumns = 4, kOfRow = T::kWidth / kColumns;
  const int index = blockIdx.x * blockDim.x + threadIdx.x;
  const int column = index % kOfRow * kColumns, row = index / kOfRow % kAttentionRows;
  const int split = index / kOfRow / kAttentionRows;
  if (split >= p.sequences * p.shares.split) return;
  const Share s = p.share(p.sequences * p.shares.whole + split * p.shares.splits);
  const int query = s.row_tile * kAttentionRows + row;
  if (query >= p.queries) return;
  float largest = -INFINITY, sum = 0;
  for (int i = 0; i < p.shares.splits; ++i) largest = fmaxf(largest, p.part_rows(s.part + i)[row].x);
  float4 o = {0, 0, 0, 0};
  for (int i = 0; i < p.shares.splits; ++i) {
    const float2 of_row = p.part_rows(s.part + i)[row];
    const float* const values = p.part_values(s.part + i) + row * T::kWidth + column;
    const float4 v = *reinterpret_cast<const float4*>(values);
    const float factor = exp2_fast((of_row.x - largest) * p.scale);
    sum += factor * of_row.y;
    o.x += factor * v.x, o.y += factor * v.y, o.z += factor * v.z, o.w += factor * v.w;
  }
  const float inverse = __frcp_rn(sum);
  auto* const to = reinterpret_cast<__nv_bfloat162*>(p.out_of(s, query) + column);
  to[0] = __floats2bfloat162_rn(o.x * inverse, o.y * inverse);
  to[1] = __floats2bfloat162_rn(o.z * inverse, o.w * inverse);
}

template <class T>
typename T::Params params_of(const HopperAttentionLaunch& a) {
  constexpr float kLog2e = 1.4426950408889634f;
  using Width = typename T::Width;
  const auto tokens = [&](int count, int heads, std::int64_t token, std::int64_t sequence) {
    return
        typename T::Tokens(make_shape(count, Width{}, heads, a.sequences), make_stride(token, _1{}, Width{}, sequence));
  };
  const typename T::Turned turned(make_shape(Width{}, a.keys, a.kv_heads, a.sequences),
                                  make_stride(_1{}, a.v_token, Width{}, a.v_sequence));
  const std::int64_t out_token = static_cast<std::int64_t>(a.heads) * T::kWidth;
  return {T::copy_rows(a.q, tokens(a.queries, a.heads, a.q_token, a.q_sequence)),
          T::copy_keys(a.k, tokens(a.keys, a.kv_heads, a.k_token, a.k_sequence)),
          T::copy_values(a.v, turned),
          T::copy_out(a.out, tokens(a.queries, a.heads, out_token, out_token * a.queries)),
          static_cast<__nv_bfloat16*>(a.out),
          a.partial,
          a.sequences,
          a.queries,
          a.keys,
          a.heads,
          a.kv_heads,
          a.row_tiles(),
          a.key_tiles(),
          a.shares(),
          a.scale * kLog2e};
}

template <class T>
cudaError_t launch(const HopperAttentionLaunch& args, cudaStream_t stream) {
  static_assert(kShared<T> <= kMostShared);
  const typename T::Params p = params_of<T>(args);
  const cudaError_t error =
      cudaFuncSetAttribute(attention_kernel<T>, cudaFuncAttributeMaxDynamicSharedMemorySize, kShared<T>);
  if (error != cudaSuccess) return error;
  const int blocks = p.all_shares() < args.multiprocessors ? p.all_shares() : args.multiprocessors;
  attention_kernel<T><<<blocks, kThreads, kShared<T>, stream>>>(p);
  if (p.shares.split > 0) {
    constexpr int kAdders = 256;
    const int rows = args.sequences * p.shares.split * kAttentionRows;
    add_parts<T><<<tiles_of(rows * (T::kWidth / 4), kAdders), kAdders, 0, stream>>>(p);
  }
  return cudaGetLastError();
}

}  // namespace
}  // namespace attention

cudaError_t launch_hopper_attention(const HopperAttentionLaunch& args, cudaStream_t stream) {
  using namespace attention;
  switch (args.width) {
    case 96: return launch<Tiles<96>>(args, stream);
    case 128: return launch<Tiles<128>>(args, stream);
    default: return cudaErrorInvalidValue;
  }
}

}  // namespace trireme::kernels
