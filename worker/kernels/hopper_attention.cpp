#include "worker/kernels/hopper_attention.h"

#include <ATen/ATen.h>

#include "worker/kernels/call.h"
#include "worker/kernels/capability.h"

namespace trireme::kernels {
namespace {

/// As a copy by TMA can read it: heads side by side in a token, other strides multiples of 16 bytes.
at::Tensor readable(const at::Tensor& x) {
  const auto walks = [&](int dim) { return x.stride(dim) > 0 && x.stride(dim) % 8 == 0; };
  const bool fits = x.stride(3) == 1 && x.stride(2) == x.size(3) && walks(1) && walks(0) && aligned({x});
  return fits ? x : x.clone(at::MemoryFormat::Contiguous);
}

}  // namespace

int HopperAttentionLaunch::row_tiles() const { return tiles_of(queries, kAttentionRows); }

int HopperAttentionLaunch::key_tiles() const { return tiles_of(keys, attention_keys(width)); }

AttentionShares HopperAttentionLaunch::shares() const {
  return attention_shares(heads * row_tiles(), key_tiles(), multiprocessors);
}

std::int64_t HopperAttentionLaunch::partials() const {
  const AttentionShares each = shares();
  return attention_part(width) * sequences * each.split * each.splits;
}

bool has_hopper_attention(const at::Tensor& q) {
  return q.scalar_type() == at::kBFloat16 && has_attention_width(q.size(-1)) && *cutlass_version() != '\0' &&
         capability(q.device()) == 90;
}

at::Tensor hopper_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  require(q.dim() == 4 && k.dim() == 4 && k.sizes() == v.sizes() && k.size(0) == q.size(0) && k.size(3) == q.size(3) &&
              k.size(1) > 0 && k.size(2) > 0 && q.size(2) % k.size(2) == 0 && scale > 0,
          "hopper_attention wants q [sequences, queries, heads, head_dim], k, v [sequences, keys, kv_heads, head_dim]");
  require(has_hopper_attention(q) && k.scalar_type() == q.scalar_type() && v.scalar_type() == q.scalar_type() &&
              k.device() == q.device() && v.device() == q.device(),
          "hopper_attention wants bfloat16 heads of 96 or 128 on a Hopper GPU, in a build with CUTLASS");
  const at::Tensor out = at::empty(q.sizes(), q.options());
  if (q.numel() == 0) return out;
  const at::Tensor from_q = readable(q), from_k = readable(k), from_v = readable(v);
  HopperAttentionLaunch args{};
  args.q = from_q.data_ptr(), args.k = from_k.data_ptr(), args.v = from_v.data_ptr(), args.out = out.data_ptr();
  args.q_token = from_q.stride(1), args.k_token = from_k.stride(1), args.v_token = from_v.stride(1);
  args.q_sequence = from_q.stride(0), args.k_sequence = from_k.stride(0), args.v_sequence = from_v.stride(0);
  args.sequences = static_cast<int>(q.size(0));
  args.queries = static_cast<int>(q.size(1)), args.keys = static_cast<int>(k.size(1));
  args.heads = static_cast<int>(q.size(2)), args.kv_heads = static_cast<int>(k.size(2)),
  args.width = static_cast<int>(q.size(3));
  args.scale = static_cast<float>(scale);
  args.multiprocessors = multiprocessors(q.device());
  const at::Tensor partial = at::empty({args.partials()}, q.options().dtype(at::kFloat));
  args.partial = partial.data_ptr<float>();
  enqueue(q, "hopper_attention", [&](cudaStream_t stream) { return launch_hopper_attention(args, stream); });
  return out;
}

}  // namespace trireme::kernels
