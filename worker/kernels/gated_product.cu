// A persistent, warp-specialised product of CUTLASS for capability 9.0, x · weightᵀ in bfloat16 with float32 sums, and
// the gate as its epilogue. How tiles are dealt out depends on the rows; the order of a tile's sums does not, so a row
// has the same bits in every call.
#include "cutlass/device_kernel.h"
#include "cutlass/gemm/collective/collective_mma_decl.hpp"
#include "cutlass/gemm/collective/sm90_mma_tma_gmma_ss_warpspecialized.hpp"
#include "cutlass/gemm/kernel/gemm_universal_decl.h"
#include "cutlass/gemm/kernel/sm90_gemm_tma_warpspecialized_cooperative.hpp"
#include "cutlass/version.h"
#include "worker/kernels/gate_epilogue.cuh"
#include "worker/kernels/launch.h"

namespace trireme::kernels {
namespace {

constexpr int kMostShared = 227 * 1024;  // bytes of a block
constexpr int kStages = 4;               // as many as fit

/// `cluster` blocks, neighbours along the columns, read each tile of x once for all of them.
template <int cluster>
struct GatedProduct {
  using Element = cutlass::bfloat16_t;
  using Cluster = cute::Shape<cute::_1, cute::Int<cluster>, cute::_1>;
  using Stride = cute::Stride<std::int64_t, cute::_1, std::int64_t>;
  using Copy = cute::SM90_TMA_LOAD;
  using CopyForAll = cute::conditional_t<cluster == 1, Copy, cute::SM90_TMA_LOAD_MULTICAST>;
  using Shared = cute::GMMA::Layout_K_SW128_Atom<Element>;
  using Policy = cutlass::gemm::MainloopSm90TmaGmmaWarpSpecialized<kStages, Cluster,
                                                                   cutlass::gemm::KernelTmaWarpSpecializedCooperative>;
  using Mainloop = cutlass::gemm::collective::CollectiveMma<Policy, GatedTile, Element, Stride, Element, Stride,
                                                            GatedTileMma, CopyForAll, Shared, void, cute::identity,
                                                            Copy, Shared, void, cute::identity>;
  using Epilogue = cutlass::epilogue::collective::detail::Sm90TmaWarpSpecializedAdapter<GateEpilogue>;
  using Kernel = cutlass::gemm::kernel::GemmUniversal<cute::Shape<int, int, int, int>, Mainloop, Epilogue,
                                                      cutlass::gemm::PersistentScheduler>;
  static_assert(Kernel::SharedStorageSize <= kMostShared);

  static cudaError_t launch(const GatedProductLaunch& args, cudaStream_t stream) {
    typename Kernel::Arguments all{};
    all.mode = cutlass::gemm::GemmUniversalMode::kGemm;
    all.problem_shape = {args.rows, 2 * args.dim, args.in, 1};
    all.mainloop.ptr_A = static_cast<const Element*>(args.x);
    all.mainloop.dA = Stride{args.in, cute::_1{}, std::int64_t{0}};
    all.mainloop.ptr_B = static_cast<const Element*>(args.weight);
    all.mainloop.dB = all.mainloop.dA;
    all.epilogue.out = static_cast<__nv_bfloat16*>(args.out);
    all.hw_info.sm_count = args.multiprocessors;
    using Scheduler = std::remove_reference_t<decltype(all.scheduler)>;
    all.scheduler.raster_order = decltype(Scheduler::raster_order)::AlongM;
    all.scheduler.max_swizzle_size = args.columns_together;
    if (!Kernel::can_implement(all)) return cudaErrorInvalidValue;
    const typename Kernel::Params params = Kernel::to_underlying_arguments(all, nullptr);

    auto* kernel = cutlass::device_kernel<Kernel>;
    const cudaError_t error =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Kernel::SharedStorageSize);
    if (error != cudaSuccess) return error;
    cudaLaunchAttribute clusters{};
    clusters.id = cudaLaunchAttributeClusterDimension;
    clusters.val.clusterDim = {1, cluster, 1};
    cudaLaunchConfig_t config{};
    config.gridDim = Kernel::get_grid_shape(params);
    config.blockDim = Kernel::get_block_shape();
    config.dynamicSmemBytes = Kernel::SharedStorageSize;
    config.stream = stream;
    config.attrs = &clusters;
    config.numAttrs = cluster > 1 ? 1 : 0;
    return cudaLaunchKernelEx(&config, kernel, params);
  }
};

}  // namespace

cudaError_t launch_gated_product(const GatedProductLaunch& args, cudaStream_t stream) {
  return args.in_twos ? GatedProduct<2>::launch(args, stream) : GatedProduct<1>::launch(args, stream);
}

const char* cutlass_version() {
#define TRIREME_TEXT_(x) #x
#define TRIREME_TEXT(x) TRIREME_TEXT_(x)
  return TRIREME_TEXT(CUTLASS_MAJOR) "." TRIREME_TEXT(CUTLASS_MINOR) "." TRIREME_TEXT(CUTLASS_PATCH);
}

}  // namespace trireme::kernels
