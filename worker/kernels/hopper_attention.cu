// FlashAttention 3's scheme by CuTe (arXiv 2407.08608): one thread fills shared memory by TMA; two warpgroups of 64
// queries each take turns at the tensor cores, one computing the softmax of its scores while the other multiplies.
// Within a turn the next tile's scores are asked for before this tile's values are summed up. Keys are walked from the
// last tile, the one that may end before its border, to the first. Sums have a fixed order.
#include "cutlass/arch/reg_reconfig.h"
#include "worker/kernels/attention_tiles.cuh"
#include "worker/kernels/online_softmax.cuh"

namespace trireme::kernels {
namespace attention {
namespace {

constexpr int kThreads = (kGroups + 1) * kGroup;
constexpr int kMostShared = 227 * 1024, kShared = sizeof(Shared) + Shared::kAligned;  // bytes of a block
static_assert(kShared <= kMostShared);

/// The thread that fills shared memory: keys one tile ahead of values, as they are asked for.
CUTE_DEVICE void fill(const Params& p, Shared& shared) {
  const auto in = [](Half* data, const auto& layout) {
    return group_modes<0, 2>(make_tensor(make_smem_ptr(data), layout));
  };
  const auto in_q = in(shared.q, SharedQ{});
  const auto in_k = in(shared.k, SharedK{});
  const auto in_v = in(shared.v, SharedV{});
  const auto all_q = p.q.get_tma_tensor(make_shape(p.queries, Width{}, p.heads, p.sequences));
  const auto all_k = p.k.get_tma_tensor(make_shape(p.keys, Width{}, p.kv_heads, p.sequences));
  const auto all_v = p.v.get_tma_tensor(make_shape(Width{}, p.keys, p.kv_heads, p.sequences));
  Place<kStages> at_q, at_k, at_v;
  for (int i = blockIdx.x; i < p.all_shares(); i += gridDim.x) {
    const Share s = p.share(i);
    const int kv_head = s.head / (p.heads / p.kv_heads);
    const auto cut_by = [](const auto& copy, const auto& to,
                           const auto& from) {  // from and to, as the copy cuts them
      return tma_partition(copy, _0{}, Layout<_1>{}, to, group_modes<0, 2>(from));
    };
    const auto q =
        cut_by(p.q, in_q, local_tile(all_q(_, _, s.head, s.sequence), Shape<Queries, Width>{}, make_coord(_, _0{})));
    const auto k =
        cut_by(p.k, in_k, local_tile(all_k(_, _, kv_head, s.sequence), Shape<Keys, Width>{}, make_coord(_, _0{})));
    const auto v =
        cut_by(p.v, in_v, local_tile(all_v(_, _, kv_head, s.sequence), Shape<Width, Keys>{}, make_coord(_0{}, _)));
    const auto load = [](Ring<kStages>& ring, Place<kStages>& at, int bytes, const auto& by, const auto& cut,
                         int tile) {
      copy(by.with(ring.begin_write(at, bytes), 0), get<0>(cut)(_, tile), get<1>(cut)(_, at.stage));
      ++at;
    };
    const auto load_k = [&](int tile) { load(shared.keys, at_k, sizeof(shared.k) / kStages, p.k, k, tile); };
    const auto load_v = [&](int tile) { load(shared.values, at_v, sizeof(shared.v) / kStages, p.v, v, tile); };
    load(shared.queries, at_q, sizeof(shared.q) / kStages, p.q, q, s.row_tile);
    load_k(s.end - 1);
    for (int tile = s.end - 2; tile >= s.first; --tile) load_k(tile), load_v(tile + 1);
    load_v(s.first);
  }
}

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

/// Sums of values over sums of weights become the result; of a part of the keys both are kept as they are.
template <class Sums>
CUTE_DEVICE void write(const Params& p, const Share& s, const Sums& o, const OnlineSoftmax& softmax, int group,
                       int thread) {
  const int column = thread % 4 * 2;
  CUTE_UNROLL
  for (int i = 0; i < 2; ++i) {
    const float sum = softmax.sum(i), inverse = __frcp_rn(sum);
    const int row = group * kGroupRows + thread / 32 * 16 + thread % 32 / 4 + 8 * i;
    const int query = s.row_tile * kAttentionRows + row;
    if (s.part >= 0) {
      if (thread % 4 == 0) p.part_rows(s.part)[row] = {softmax.largest(i), sum};
      float* const to = p.part_values(s.part) + row * kAttentionWidth + column;
      CUTE_UNROLL
      for (int c = 0; c < kAttentionWidth / 8; ++c) {
        *reinterpret_cast<float2*>(to + c * 8) = {o(c * 4 + i * 2), o(c * 4 + i * 2 + 1)};
      }
    } else if (query < p.queries) {
      __nv_bfloat16* const to = p.out_of(s, query) + column;
      CUTE_UNROLL
      for (int c = 0; c < kAttentionWidth / 8; ++c) {
        *reinterpret_cast<__nv_bfloat162*>(to + c * 8) =
            __floats2bfloat162_rn(o(c * 4 + i * 2) * inverse, o(c * 4 + i * 2 + 1) * inverse);
      }
    }
  }
}

/// A warpgroup that multiplies.
CUTE_DEVICE void attend(const Params& p, Shared& shared) {
  const int group = threadIdx.x / kGroup - 1, thread = threadIdx.x % kGroup;
  Scores score;
  Values weigh;
  const auto own_score = score.get_thread_slice(thread);
  const auto own_weigh = weigh.get_thread_slice(thread);
  const auto own_q = local_tile(make_tensor(make_smem_ptr(shared.q), SharedQ{}), Shape<Rows, Width, Int<kStages>>{},
                                make_coord(group, _0{}, _0{}));
  const auto q = own_score.make_fragment_A(own_score.partition_A(own_q));
  const auto k = own_score.make_fragment_B(own_score.partition_B(make_tensor(make_smem_ptr(shared.k), SharedK{})));
  const auto v = own_weigh.make_fragment_B(own_weigh.partition_B(make_tensor(make_smem_ptr(shared.v), SharedV{})));
  // Weights as the second product takes them: the scores' values in the same places.
  auto weights = make_tensor<Half>(Layout<Shape<Shape<_2, _2, _2>, _1, Int<kAttentionKeys / 16>>>{});
  Place<kStages> at_q, at_k, at_v;
  Turns turns(group);

  const auto begin_scores = [&](auto& s) {
    warpgroup_fence_operand(s);
    warpgroup_arrive();
    score.accumulate_ = GMMA::ScaleOut::Zero;
    CUTE_UNROLL
    for (int i = 0; i < size<2>(q); ++i) {
      gemm(score, q(_, _, i, at_q.stage), k(_, _, i, at_k.stage), s);
      score.accumulate_ = GMMA::ScaleOut::One;
    }
    warpgroup_commit_batch();
  };
  const auto begin_values = [&](auto& o) {
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
  const auto round_weights = [&](const auto& s) {
    auto pairs = recast<unsigned>(weights);
    CUTE_UNROLL
    for (int r = 0; r < size(s); r += 2) {
      const __nv_bfloat162 two = __floats2bfloat162_rn(s(r), s(r + 1));
      pairs(r / 2) = reinterpret_cast<const unsigned&>(two);
    }
  };

  for (int i = blockIdx.x; i < p.all_shares(); i += gridDim.x) {
    const Share share = p.share(i);
    auto o = partition_fragment_C(weigh, Shape<Rows, Width>{});
    clear(o);
    OnlineSoftmax softmax;
    shared.queries.wait(at_q);
    {
      auto s = partition_fragment_C(score, Shape<Rows, Keys>{});
      shared.keys.wait(at_k);
      turns.wait();
      begin_scores(s);
      turns.pass();
      warpgroup_wait<0>();
      warpgroup_fence_operand(s);
      release(shared.keys, at_k);
      const int left = p.keys - (share.end - 1) * kAttentionKeys;  // keys of this tile
      if (left < kAttentionKeys) {
        CUTE_UNROLL
        for (int r = 0; r < size(s); ++r) {
          if (r / 4 * 8 + thread % 4 * 2 + r % 2 >= left) s(r) = -INFINITY;
        }
      }
      softmax(s, p.scale);
      round_weights(s);
    }
    CUTE_NO_UNROLL
    for (int tile = share.end - 2; tile >= share.first; --tile) {
      auto s = partition_fragment_C(score, Shape<Rows, Keys>{});
      shared.keys.wait(at_k);
      turns.wait();
      begin_scores(s);
      shared.values.wait(at_v);
      begin_values(o);
      turns.pass();
      warpgroup_wait<1>();
      warpgroup_fence_operand(s);
      release(shared.keys, at_k);
      softmax(s, p.scale);
      // ptxas 13.0 would wait for the values first and compute the softmax then; over a store it moves no wait.
      asm volatile("st.volatile.shared.f32 [%0], %1;" ::"r"(cast_smem_ptr_to_uint(shared.order + threadIdx.x)),
                   "f"(softmax.own_sum(0) + softmax.own_sum(1))
                   : "memory");
      warpgroup_wait<0>();
      warpgroup_fence_operand(o);
      warpgroup_fence_operand(weights);
      release(shared.values, at_v);
      CUTE_UNROLL
      for (int r = 0; r < size(o); ++r) o(r) *= softmax.factor(r / 2 % 2);
      round_weights(s);
    }
    release(shared.queries, at_q);
    shared.values.wait(at_v);
    begin_values(o);
    warpgroup_wait<0>();
    warpgroup_fence_operand(o);
    release(shared.values, at_v);
    write(p, share, o, softmax, group, thread);
  }
  turns.end();
}

__global__ void __launch_bounds__(kThreads, 1) attention_kernel(const __grid_constant__ Params p) {
  extern __shared__ char space[];
  constexpr std::uintptr_t kAligned = Shared::kAligned;
  auto& shared =
      *reinterpret_cast<Shared*>((reinterpret_cast<std::uintptr_t>(space) + kAligned - 1) / kAligned * kAligned);
  if (threadIdx.x == 0) {
    shared.queries.init(kGroups), shared.keys.init(kGroups), shared.values.init(kGroups);
    cutlass::arch::fence_barrier_init();
  }
  __syncthreads();
  if (threadIdx.x < kGroup) {
    cutlass::arch::warpgroup_reg_dealloc<24>();
    if (threadIdx.x == 0) fill(p, shared);
  } else {
    cutlass::arch::warpgroup_reg_alloc<240>();
    attend(p, shared);
  }
}

/// Puts the parts of split tiles together: four columns a thread.
__global__ void add_parts(const __grid_constant__ Params p) {
  constexpr int kColumns = 4, kOfRow = kAttentionWidth / kColumns;
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
    const float* const values = p.part_values(s.part + i) + row * kAttentionWidth + column;
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

Params params_of(const HopperAttentionLaunch& a) {
  constexpr float kLog2e = 1.4426950408889634f;
  const auto tokens = [&](int count, int heads, std::int64_t token, std::int64_t sequence) {
    return Tokens(make_shape(count, Width{}, heads, a.sequences), make_stride(token, _1{}, Width{}, sequence));
  };
  const Turned turned(make_shape(Width{}, a.keys, a.kv_heads, a.sequences),
                      make_stride(_1{}, a.v_token, Width{}, a.v_sequence));
  return {copy_q(a.q, tokens(a.queries, a.heads, a.q_token, a.q_sequence)),
          copy_k(a.k, tokens(a.keys, a.kv_heads, a.k_token, a.k_sequence)),
          copy_v(a.v, turned),
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

}  // namespace
}  // namespace attention

cudaError_t launch_hopper_attention(const HopperAttentionLaunch& args, cudaStream_t stream) {
  using namespace attention;
  const Params p = params_of(args);
  const cudaError_t error =
      cudaFuncSetAttribute(attention_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kShared);
  if (error != cudaSuccess) return error;
  const int blocks = p.all_shares() < args.multiprocessors ? p.all_shares() : args.multiprocessors;
  attention_kernel<<<blocks, kThreads, kShared, stream>>>(p);
  if (p.shares.split > 0) {
    constexpr int kAdders = 256;
    const int rows = args.sequences * p.shares.split * kAttentionRows;
    add_parts<<<tiles_of(rows * (kAttentionWidth / 4), kAdders), kAdders, 0, stream>>>(p);
  }
  return cudaGetLastError();
}

}  // namespace trireme::kernels
