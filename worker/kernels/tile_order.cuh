#pragma once
// tile_order.h's order for persistent kernels of CUTLASS. The rows of x of a group stay in the L2 cache for many turns
// of the multiprocessors.

#include "cutlass/gemm/kernel/sm90_tile_scheduler.hpp"
#include "cutlass/gemm/kernel/tile_scheduler.hpp"
#include "worker/kernels/tile_order.h"

namespace trireme::kernels {

/// CUTLASS's scheduler along n (rows of x), its tiles renumbered. m are rows of the weight.
template <class Cluster>
class TilesInGroups : public cutlass::gemm::kernel::detail::PersistentTileSchedulerSm90 {
  using Base = cutlass::gemm::kernel::detail::PersistentTileSchedulerSm90;

 public:
  struct Arguments : Base::Arguments {
    int group = 1;  // clusters of tiles along n that are walked for all m
  };
  struct Params : Base::Params {
    int group = 1;
  };

  template <class Problem, class Tile, class... More>
  static Params to_underlying_arguments(Problem problem, Tile tile, Cluster cluster,
                                        cutlass::KernelHardwareInfo const& hardware, Arguments const& args, More...) {
    return {Base::to_underlying_arguments(problem, tile, cluster, hardware, args), args.group};
  }

  CUTLASS_DEVICE explicit TilesInGroups(Params const& params) : Base(params), group_(params.group) {}

  CUTLASS_DEVICE WorkTileInfo initial_work_tile_info(Cluster cluster) {
    return renumbered(Base::initial_work_tile_info(cluster));
  }
  template <class... Pipeline>
  CUTLASS_DEVICE auto fetch_next_work(WorkTileInfo tile, Pipeline&&...) {
    const auto next = Base::fetch_next_work(tile);
    return cute::make_tuple(renumbered(cute::get<0>(next)), cute::get<1>(next));
  }

 private:
  CUTLASS_DEVICE WorkTileInfo renumbered(WorkTileInfo tile) const {
    if (!tile.is_valid()) return tile;
    constexpr int kDown = cute::size<0>(Cluster{}), kAcross = cute::size<1>(Cluster{});
    const int down = static_cast<int>(scheduler_params.problem_tiles_m_);  // clusters
    const int across = static_cast<int>(scheduler_params.problem_tiles_n_);
    const TilePlace at = place_in_groups(tile.M_idx / kDown * across + tile.N_idx / kAcross, down, across, group_);
    tile.M_idx = at.down * kDown + tile.M_idx % kDown;
    tile.N_idx = at.across * kAcross + tile.N_idx % kAcross;
    return tile;
  }

  int group_;
};

struct InGroups {};  // what a kernel of CUTLASS is told

}  // namespace trireme::kernels

template <class Arch, class Tile, class Cluster, std::uint32_t stages>
struct cutlass::gemm::kernel::detail::TileSchedulerSelector<trireme::kernels::InGroups, Arch, Tile, Cluster, stages> {
  using Scheduler = trireme::kernels::TilesInGroups<Cluster>;
};
