// A persistent, warp-specialised product of CUTLASS for capability 9.0, weight · xᵀ in bfloat16 with float32 sums, and
// the gate as its epilogue. Which tile is taken depends on the rows; the order of an output's sums does not, so a row
// has the same bits in every call.
#include <utility>

#include "cutlass/device_kernel.h"
#include "cutlass/gemm/collective/collective_mma_decl.hpp"
#include "cutlass/gemm/collective/sm90_mma_tma_gmma_ss_warpspecialized.hpp"
#include "cutlass/gemm/kernel/gemm_universal_decl.h"
#include "cutlass/gemm/kernel/sm90_gemm_tma_warpspecialized_cooperative.hpp"
#include "cutlass/version.h"
#include "worker/kernels/gate_epilogue.cuh"
#include "worker/kernels/launch.h"
#include "worker/kernels/tile_order.cuh"

namespace trireme::kernels {
namespace {

constexpr int kMostShared = 227 * 1024;  // bytes of a block

template <std::size_t index>
struct GatedProduct {
  using Element = cutlass::bfloat16_t;
  using Staging = GatedStaging<index>;
  static constexpr GatedTile kTile = Staging::kTile;
  using Cluster = cute::Shape<cute::Int<kTile.cluster_weight_rows>, cute::Int<kTile.cluster_rows>, cute::_1>;
  using Stride = cute::Stride<std::int64_t, cute::_1, std::int64_t>;
  template <int blocks>
  using Copy = cute::conditional_t<blocks == 1, cute::SM90_TMA_LOAD, cute::SM90_TMA_LOAD_MULTICAST>;
  using Shared = cute::GMMA::Layout_K_SW128_Atom<Element>;
  using Policy = cutlass::gemm::MainloopSm90TmaGmmaWarpSpecialized<kTile.stages, Cluster,
                                                                   cutlass::gemm::KernelTmaWarpSpecializedCooperative>;
  using Mainloop = cutlass::gemm::collective::CollectiveMma<
      Policy, typename Staging::Tile, Element, Stride, Element, Stride, typename Staging::Mma, Copy<kTile.cluster_rows>,
      Shared, void, cute::identity, Copy<kTile.cluster_weight_rows>, Shared, void, cute::identity>;
  using Kernel = cutlass::gemm::kernel::GemmUniversal<cute::Shape<int, int, int, int>, Mainloop,
                                                      GateEpilogueAdapter<index>, InGroups>;
  static_assert(Kernel::SharedStorageSize <= kMostShared);

  static cudaError_t launch(const GatedProductLaunch& args, cudaStream_t stream) {
    typename Kernel::Arguments all{};
    all.mode = cutlass::gemm::GemmUniversalMode::kGemm;
    all.problem_shape = {2 * args.dim, args.rows, args.in, 1};
    all.mainloop.ptr_A = static_cast<const Element*>(args.weight);
    all.mainloop.dA = Stride{args.in, cute::_1{}, std::int64_t{0}};
    all.mainloop.ptr_B = static_cast<const Element*>(args.x);
    all.mainloop.dB = all.mainloop.dA;
    all.epilogue = {static_cast<Element*>(args.out), args.rows, args.dim};
    all.hw_info.sm_count = args.multiprocessors;
    using Scheduler = typename Kernel::TileScheduler;
    all.scheduler.raster_order = Scheduler::RasterOrderOptions::AlongN;
    all.scheduler.group = args.clusters_together;
    if (!Kernel::can_implement(all)) return cudaErrorInvalidValue;
    const typename Kernel::Params params = Kernel::to_underlying_arguments(all, nullptr);

    auto* kernel = cutlass::device_kernel<Kernel>;
    const cudaError_t error =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Kernel::SharedStorageSize);
    if (error != cudaSuccess) return error;
    cudaLaunchAttribute clusters{};
    clusters.id = cudaLaunchAttributeClusterDimension;
    constexpr unsigned kDown = kTile.cluster_weight_rows, kAcross = kTile.cluster_rows;
    clusters.val.clusterDim = {kDown, kAcross, 1};
    cudaLaunchConfig_t config{};
    config.gridDim = Kernel::get_grid_shape(params);
    config.blockDim = Kernel::get_block_shape();
    config.dynamicSmemBytes = Kernel::SharedStorageSize;
    config.stream = stream;
    config.attrs = &clusters;
    config.numAttrs = cute::size(Cluster{}) > 1 ? 1 : 0;
    return cudaLaunchKernelEx(&config, kernel, params);
  }
};

template <std::size_t... indices>
cudaError_t launch_tile(const GatedProductLaunch& args, cudaStream_t stream, std::index_sequence<indices...>) {
  cudaError_t error = cudaErrorInvalidValue;
  ((args.tile == indices ? void(error = GatedProduct<indices>::launch(args, stream)) : void()), ...);
  return error;
}

}  // namespace

cudaError_t launch_gated_product(const GatedProductLaunch& args, cudaStream_t stream) {
  return launch_tile(args, stream, std::make_index_sequence<kGatedTiles.size()>());
}

const char* cutlass_version() {
#define TRIREME_TEXT_(x) #x
#define TRIREME_TEXT(x) TRIREME_TEXT_(x)
  return TRIREME_TEXT(CUTLASS_MAJOR) "." TRIREME_TEXT(CUTLASS_MINOR) "." TRIREME_TEXT(CUTLASS_PATCH);
}

}  // namespace trireme::kernels
