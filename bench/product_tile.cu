// One kernel of CUTLASS's for capability 9.0, compiled once for each tile: TILE_ROWS, TILE_COLUMNS, CLUSTER (blocks
// along the rows that share what they read of the weight) and SPLIT (1: turns that are not full share tiles, whose sums
// then have another order) come from CMake.
#include "bench/product_tile.h"
#include "cutlass/epilogue/collective/collective_builder.hpp"
#include "cutlass/gemm/collective/collective_builder.hpp"
#include "cutlass/gemm/device/gemm_universal_adapter.h"
#include "cutlass/gemm/kernel/gemm_universal.hpp"

namespace trireme::bench {
namespace {

using namespace cute;
using Element = cutlass::bfloat16_t;
using Rows = cutlass::layout::RowMajor;
using Columns = cutlass::layout::ColumnMajor;
using Tile = Shape<Int<TILE_ROWS>, Int<TILE_COLUMNS>, _64>;
using Cluster = Shape<Int<CLUSTER>, _1, _1>;
constexpr bool kOneGroup = TILE_ROWS == 64;  // two groups of warps take turns at tiles of their own
using Mode = conditional_t<kOneGroup, cutlass::gemm::KernelTmaWarpSpecializedPingpong,
                           cutlass::gemm::KernelTmaWarpSpecializedCooperative>;
using EpilogueMode =
    conditional_t<kOneGroup, cutlass::epilogue::TmaWarpSpecialized, cutlass::epilogue::TmaWarpSpecializedCooperative>;
using Epilogue = typename cutlass::epilogue::collective::CollectiveBuilder<
    cutlass::arch::Sm90, cutlass::arch::OpClassTensorOp, Tile, Cluster, cutlass::epilogue::collective::EpilogueTileAuto,
    float, float, void, Rows, 8, Element, Rows, 8, EpilogueMode>::CollectiveOp;
using Mainloop = typename cutlass::gemm::collective::CollectiveBuilder<
    cutlass::arch::Sm90, cutlass::arch::OpClassTensorOp, Element, Rows, 8, Element, Columns, 8, float, Tile, Cluster,
    cutlass::gemm::collective::StageCountAutoCarveout<static_cast<int>(sizeof(typename Epilogue::SharedStorage))>,
    Mode>::CollectiveOp;
using Scheduler = conditional_t<SPLIT == 1, cutlass::gemm::StreamKScheduler, cutlass::gemm::PersistentScheduler>;
using Gemm = cutlass::gemm::device::GemmUniversalAdapter<
    cutlass::gemm::kernel::GemmUniversal<Shape<int, int, int, int>, Mainloop, Epilogue, Scheduler>>;

cudaError_t launch(const Product& p, cudaStream_t stream) {
  const std::int64_t in = p.in, out = p.out;
  typename Gemm::Arguments args{cutlass::gemm::GemmUniversalMode::kGemm,
                                {p.rows, p.out, p.in, 1},
                                {static_cast<const Element*>(p.x),
                                 {in, _1{}, std::int64_t{0}},
                                 static_cast<const Element*>(p.weight),
                                 {in, _1{}, std::int64_t{0}}},
                                {{1.0f, 0.0f}, nullptr, {}, static_cast<Element*>(p.y), {out, _1{}, std::int64_t{0}}}};
  args.hw_info.sm_count = cutlass::KernelHardwareInfo::query_device_multiprocessor_count(0);
  Gemm gemm;
  if (Gemm::get_workspace_size(args) > p.workspace_bytes) return cudaErrorMemoryAllocation;
  if (gemm.initialize(args, p.workspace, stream) != cutlass::Status::kSuccess) return cudaErrorInvalidValue;
  return gemm.run(stream) == cutlass::Status::kSuccess ? cudaSuccess : cudaGetLastError();
}

const bool known = (product_tiles().push_back({TILE_NAME, launch}), true);

}  // namespace
}  // namespace trireme::bench
