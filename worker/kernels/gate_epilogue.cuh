#pragma once
// A collective epilogue for CUTLASS's warp-specialised kernels: silu(a) * b from the accumulators, written straight
// from registers, 16 bytes a store, the four threads of a quad 64 neighbouring bytes. No shared memory, no shuffles.
// The weight's rows stand as pair_order.h says.

#include <cuda_bf16.h>

#include "cute/tensor.hpp"
#include "cutlass/cutlass.h"
#include "cutlass/epilogue/collective/detail.hpp"
#include "cutlass/epilogue/thread/linear_combination.h"
#include "cutlass/gemm/dispatch_policy.hpp"
#include "worker/kernels/exp2.cuh"
#include "worker/kernels/pair_order.h"
#include "worker/kernels/pair_stores.cuh"

namespace trireme::kernels {

/// Rounded to bfloat16, the first in the lower half: one instruction, where single conversions would be two slow ones.
CUTLASS_DEVICE unsigned packed(float low, float high) {
  const __nv_bfloat162 two = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const unsigned*>(&two);
}
CUTLASS_DEVICE float low(unsigned two) { return __uint_as_float(two << 16); }
CUTLASS_DEVICE float high(unsigned two) { return __uint_as_float(two & 0xffff0000u); }

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

class GateEpilogue {
 public:
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

  struct SharedStorage {};
  using TensorStorage = SharedStorage;

  struct Arguments {
    __nv_bfloat16* out = nullptr;  // [m, n / 2], contiguous
  };
  using Params = Arguments;

  template <class ProblemShape>
  static constexpr Params to_underlying_arguments(ProblemShape const&, Arguments const& args, void*) {
    return args;
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
  static bool can_implement(ProblemShape const& shape, Arguments const& args) {
    return cute::get<1>(shape) % kPairRows == 0 && reinterpret_cast<std::uintptr_t>(args.out) % 16 == 0;
  }

  CUTLASS_HOST_DEVICE
  GateEpilogue(Params const& params, SharedStorage const& = SharedStorage()) : params_(params) {}

  template <class ProblemShape, class BlockShape, class BlockCoord, class Engine, class Layout, class TiledMma,
            class Residue>
  CUTLASS_DEVICE void operator()(ProblemShape shape, BlockShape block, BlockCoord at,
                                 cute::Tensor<Engine, Layout> const& accumulators, TiledMma tiled_mma, Residue,
                                 int thread, char*) {
    using namespace cute;
    const int m = get<0>(shape), n = get<1>(shape);
    const int row0 = get<0>(at) * get<0>(block), column0 = get<1>(at) * get<1>(block);
    const int64_t dim = n / 2;
    const auto place = tiled_mma.get_thread_slice(thread).partition_C(make_identity_tensor(take<0, 2>(block)));
    const auto origin = place(make_coord(make_coord(0, 0, 0), 0, 0));
    const int first_row = row0 + get<0>(origin), first_column = column0 + get<1>(origin);
    __nv_bfloat16* const out = params_.out + first_row * dim + first_output(first_column);
    each_store(Layout{}, [&](auto pair) {
      const auto at_a = place(pair(0, 0));  // known distances from the origin: whole periods
      const int down = get<0>(at_a) - get<0>(origin), right = get<1>(at_a) - get<1>(origin);
      unsigned words[4];
      CUTLASS_PRAGMA_UNROLL
      for (int w = 0; w < 4; ++w) {
        words[w] = gated(accumulators(pair(2 * w, 0)), accumulators(pair(2 * w, 1)), accumulators(pair(2 * w + 1, 0)),
                         accumulators(pair(2 * w + 1, 1)));
      }
      if (first_row + down < m && first_column + right < n) {
        *reinterpret_cast<uint4*>(out + down * dim + right / 2) = make_uint4(words[0], words[1], words[2], words[3]);
      }
    });
  }

 private:
  Params params_;
};

}  // namespace trireme::kernels
