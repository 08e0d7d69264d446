#pragma once
// What moves the tiles of hopper_attention.cu by TMA: one thread of a block fills shared memory, another empties it.

#include "worker/kernels/attention_tiles.cuh"

namespace trireme::kernels::attention {

/// A tile's copy: from and to, as the copy cuts them.
template <class Copy, class To, class From>
CUTE_DEVICE auto cut_by(const Copy& copy, const To& shared, const From& global) {
  return tma_partition(copy, _0{}, Layout<_1>{}, group_modes<0, 2>(shared), group_modes<0, 2>(global));
}

/// The thread that fills shared memory: keys one tile ahead of values, as they are asked for.
template <class T>
CUTE_DEVICE void fill(const typename T::Params& p, typename T::Shared& shared) {
  using Width = typename T::Width;
  const auto in_q = make_tensor(make_smem_ptr(shared.q), typename T::SharedQ{});
  const auto in_k = make_tensor(make_smem_ptr(shared.k), typename T::SharedK{});
  const auto in_v = make_tensor(make_smem_ptr(shared.v), typename T::SharedV{});
  const auto all_q = p.q.get_tma_tensor(make_shape(p.queries, Width{}, p.heads, p.sequences));
  const auto all_k = p.k.get_tma_tensor(make_shape(p.keys, Width{}, p.kv_heads, p.sequences));
  const auto all_v = p.v.get_tma_tensor(make_shape(Width{}, p.keys, p.kv_heads, p.sequences));
  Place<kStages> at_q, at_k, at_v;
  for (int i = blockIdx.x; i < p.all_shares(); i += gridDim.x) {
    const Share s = p.share(i);
    const int kv_head = s.head / (p.heads / p.kv_heads);
    const auto rows = Shape<typename T::Rows, Width>{};
    const auto keys = Shape<typename T::Keys, Width>{};
    const auto values = Shape<Width, typename T::Keys>{};
    const auto q = cut_by(p.q, in_q, local_tile(all_q(_, _, s.head, s.sequence), rows, make_coord(_, _0{})));
    const auto k = cut_by(p.k, in_k, local_tile(all_k(_, _, kv_head, s.sequence), keys, make_coord(_, _0{})));
    const auto v = cut_by(p.v, in_v, local_tile(all_v(_, _, kv_head, s.sequence), values, make_coord(_0{}, _)));
    const auto load_q = [&] {
      auto& full = shared.queries.begin_write(at_q, sizeof(shared.q) / kStages);
      for (int group = 0; group < kGroups; ++group) {
        copy(p.q.with(full, 0), get<0>(q)(_, s.row_tile * kGroups + group), get<1>(q)(_, tile_of(at_q, group)));
      }
      ++at_q;
    };
    const auto load = [](Ring<kStages>& ring, Place<kStages>& at, int bytes, const auto& by, const auto& cut,
                         int tile) {
      copy(by.with(ring.begin_write(at, bytes), 0), get<0>(cut)(_, tile), get<1>(cut)(_, at.stage));
      ++at;
    };
    const auto load_k = [&](int tile) { load(shared.keys, at_k, sizeof(shared.k) / kStages, p.k, k, tile); };
    const auto load_v = [&](int tile) { load(shared.values, at_v, sizeof(shared.v) / kStages, p.v, v, tile); };
    load_q();
    load_k(s.end - 1);
    for (int tile = s.end - 2; tile >= s.first; --tile) load_k(tile), load_v(tile + 1);
    load_v(s.first);
  }
}

/// The thread that empties it: both warpgroups' results, and with them their queries' place.
template <class T>
CUTE_DEVICE void empty(const typename T::Params& p, typename T::Shared& shared) {
  using Rows = Shape<typename T::Rows, typename T::Width>;
  const auto results = make_tensor(make_smem_ptr(shared.q), typename T::SharedQ{});
  const auto all = p.out.get_tma_tensor(make_shape(p.queries, typename T::Width{}, p.heads, p.sequences));
  Place<kStages> at;
  for (int i = blockIdx.x; i < p.all_shares(); i += gridDim.x) {
    const Share s = p.share(i);
    shared.results[at.stage].wait(at.phase);
    if (s.part < 0) {
      const auto out = cut_by(p.out, results, local_tile(all(_, _, s.head, s.sequence), Rows{}, make_coord(_, _0{})));
      for (int group = 0; group < kGroups; ++group) {
        copy(p.out, get<1>(out)(_, tile_of(at, group)), get<0>(out)(_, s.row_tile * kGroups + group));
      }
      tma_store_arrive();
      tma_store_wait<0>();  // shared memory is read
    }
    shared.queries.release(at);
    ++at;
  }
}

}  // namespace trireme::kernels::attention
