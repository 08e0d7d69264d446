#pragma once
// A collective epilogue for CUTLASS's warp-specialised kernels: silu(a) * b from the accumulators. A thread has a and b
// of an output (pair_order.h) for neighbouring rows of x; stmatrix turns that round on the way to shared memory, so
// that 32 outputs of a row lie together, and TMA takes them from there while the next tile's product begins.

#include <cuda_bf16.h>

#include "cute/atom/copy_traits_sm90_tma.hpp"
#include "cute/tensor.hpp"
#include "cutlass/arch/barrier.h"
#include "cutlass/cutlass.h"
#include "cutlass/epilogue/collective/detail.hpp"
#include "cutlass/epilogue/thread/linear_combination.h"
#include "cutlass/gemm/dispatch_policy.hpp"
#include "worker/kernels/bfloat16_pair.cuh"
#include "worker/kernels/exp2.cuh"
#include "worker/kernels/gate_staging.cuh"

namespace trireme::kernels {

CUTLASS_DEVICE float reciprocal_fast(float v) {
  float out;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(out) : "f"(v));
  return out;
}

/// silu(a) * b of two outputs, rounded where gate.cu rounds: a and b as a tensor of bfloat16 would hold them, silu, and
/// the product. The same bits, too: __expf and __fdividef are these instructions but for denormals, which 1 + e does
/// not see.
CUTLASS_DEVICE unsigned gated(float a0, float b0, float a1, float b1) {
  constexpr float kLog2e = 1.4426950408889634f;
  const unsigned first = packed(a0, b0), second = packed(a1, b1);
  const float silu0 = low(first) * reciprocal_fast(1.0f + exp2_fast(-low(first) * kLog2e));
  const float silu1 = low(second) * reciprocal_fast(1.0f + exp2_fast(-low(second) * kLog2e));
  const unsigned silu = packed(silu0, silu1);
  return packed(low(silu) * high(first), high(silu) * high(second));
}

/// Four matrices of 8 x 8, one, turned round; each lane says where a row of them goes.
CUTLASS_DEVICE void store_turned(unsigned to, unsigned a, unsigned b, unsigned c, unsigned d) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(a), "r"(b),
               "r"(c), "r"(d)
               : "memory");
}
CUTLASS_DEVICE void store_turned(unsigned to, unsigned a) {
  asm volatile("stmatrix.sync.aligned.m8n8.x1.trans.shared.b16 [%0], {%1};" ::"r"(to), "r"(a) : "memory");
}

template <std::size_t index>
class GateEpilogue {
 public:
  using Staging = GatedStaging<index>;
  using EpilogueSchedule = cutlass::epilogue::NoSmemWarpSpecialized;
  using DispatchPolicy = EpilogueSchedule;
  using ThreadEpilogueOp = cutlass::epilogue::thread::LinearCombination<cutlass::bfloat16_t, 1, float, float>;
  using ElementOutput = cutlass::bfloat16_t;
  using ElementAccumulator = float;
  using ElementCompute = float;
  using ElementScalar = float;
  using ElementC = cutlass::bfloat16_t;
  using ElementD = cutlass::bfloat16_t;
  using StrideC = cute::Stride<int64_t, cute::Int<1>, int64_t>;
  using StrideD = StrideC;
  using GmemTiledCopyC = void;
  using GmemTiledCopyD = void;
  static const int kOutputAlignment = 8;
  using AlignmentType = cute::uint128_t;

  struct alignas(1024) SharedStorage {
    ElementD buffers[Staging::kWarpgroups][Staging::kTile.buffers][Staging::kOutputs * Staging::kRows];
  };
  using TensorStorage = SharedStorage;

  struct Arguments {
    ElementD* out = nullptr;  // [rows, dim], contiguous
    int rows = 0, dim = 0;
  };
  struct Params {
    using Store = decltype(cute::make_tma_copy(
        cute::SM90_TMA_STORE{},
        cute::make_tensor(cute::make_gmem_ptr(static_cast<ElementD*>(nullptr)),
                          cute::Layout<cute::Shape<int, int>, cute::Stride<cute::_1, int>>{}),
        typename Staging::Buffer{}));
    Store store;
    int rows, dim;
  };

  template <class ProblemShape>
  static Params to_underlying_arguments(ProblemShape const&, Arguments const& args, void*) {
    using namespace cute;
    const auto out = make_tensor(make_gmem_ptr(args.out), make_shape(args.dim, args.rows), make_stride(_1{}, args.dim));
    return {make_tma_copy(SM90_TMA_STORE{}, out, typename Staging::Buffer{}), args.rows, args.dim};
  }
  template <class ProblemShape>
  static size_t get_workspace_size(ProblemShape const&, Arguments const&) {
    return 0;
  }
  template <class ProblemShape>
  static cutlass::Status initialize_workspace(ProblemShape const&, Arguments const&, void*, cudaStream_t,
                                              cutlass::CudaHostAdapter* = nullptr) {
    return cutlass::Status::kSuccess;
  }
  template <class ProblemShape>
  static bool can_implement(ProblemShape const&, Arguments const& args) {
    return args.dim % kPairOutputs == 0 && reinterpret_cast<std::uintptr_t>(args.out) % 16 == 0;
  }

  CUTLASS_HOST_DEVICE
  GateEpilogue(Params const& params, SharedStorage const& = SharedStorage()) : params_(params) {}

  template <class ProblemShape, class BlockShape, class BlockCoord, class Engine, class Layout, class TiledMma,
            class Residue>
  CUTLASS_DEVICE void operator()(ProblemShape, BlockShape, BlockCoord at,
                                 cute::Tensor<Engine, Layout> const& accumulators, TiledMma, Residue, int thread,
                                 char* shared) {
    using namespace cute;
    constexpr int kBuffers = Staging::kTile.buffers, kMatrices = Staging::kRows / kStagedRows;
    constexpr int kDown = size<1>(Layout{}), kAcross = size<2>(Layout{});  // of a thread's instructions
    static_assert(kDown * kAcross % kBuffers == 0, "every tile begins with the first buffer");
    const int group = thread / kWarpgroup, in_group = thread % kWarpgroup;
    auto& buffers = reinterpret_cast<SharedStorage*>(shared)->buffers[group];
    const int place = staged_place(in_group / 32, in_group % 32);
    const auto out = local_tile(params_.store.get_tma_tensor(make_shape(params_.dim, params_.rows)),
                                Shape<Int<Staging::kOutputs>, Int<Staging::kRows>>{}, make_coord(_, _));
    CUTLASS_PRAGMA_UNROLL
    for (int down = 0; down < kDown; ++down) {
      CUTLASS_PRAGMA_UNROLL
      for (int across = 0; across < kAcross; ++across) {
        ElementD* const buffer = buffers[(down * kAcross + across) % kBuffers];
        if (in_group == 0) tma_store_wait<kBuffers - 1>();  // what this buffer held is read
        meet(group);

        const auto outputs = [&](int matrix) {
          const auto sum = [&](int row, int half) { return accumulators(make_coord(row, half, matrix), down, across); };
          return gated(sum(0, 0), sum(0, 1), sum(1, 0), sum(1, 1));
        };
        const unsigned to = cast_smem_ptr_to_uint(buffer) + place;
        constexpr int kInFours = kMatrices / 4 * 4;
        CUTLASS_PRAGMA_UNROLL
        for (int i = 0; i < kInFours; i += 4) {
          store_turned(to + i * kStagedBytes, outputs(i), outputs(i + 1), outputs(i + 2), outputs(i + 3));
        }
        CUTLASS_PRAGMA_UNROLL
        for (int i = kInFours; i < kMatrices; ++i) store_turned(to + i * kStagedBytes, outputs(i));

        tma_store_fence();
        meet(group);
        if (in_group != 0) continue;
        const auto one = params_.store.get_slice(0);
        const int column = (get<0>(at) * kDown + down) * Staging::kWarpgroups + group,
                  row = get<1>(at) * kAcross + across;
        copy(params_.store, one.partition_S(make_tensor(make_smem_ptr(buffer), typename Staging::Buffer{})),
             one.partition_D(out(_, _, column, row)));
        tma_store_arrive();
      }
    }
  }

 private:
  static constexpr int kWarpgroup = 128;  // threads

  CUTLASS_DEVICE static void meet(int group) {
    constexpr int kFirstBarrier = 4;  // of those that CUTLASS leaves to others; its kernel uses none
    cutlass::arch::NamedBarrier::sync(kWarpgroup, kFirstBarrier + group);
  }

  Params const& params_;  // TMA wants its description where the kernel's arguments are
};

/// As CUTLASS's kernels want it; waits for the last tiles' outputs before the block and its shared memory end.
template <std::size_t index>
class GateEpilogueAdapter
    : public cutlass::epilogue::collective::detail::Sm90TmaWarpSpecializedAdapter<GateEpilogue<index>> {
  using Base = cutlass::epilogue::collective::detail::Sm90TmaWarpSpecializedAdapter<GateEpilogue<index>>;

 public:
  using Base::Base;

  template <class... Unused>
  CUTLASS_DEVICE void store_tail(Unused&&...) {
    cute::tma_store_wait<0>();
  }
};

}  // namespace trireme::kernels
