#pragma once
// Rotary position embedding, in place, alone or behind the RMS norm of q or k. On a GPU a kernel of our own, on a CPU
// plain ATen with the same rounding points. Enqueues on the current stream. Throws Error(internal) for shapes or dtypes
// that don't fit: a fault of the caller.

#include <ATen/core/Tensor.h>

namespace trireme::kernels {

/// Angles of each token: cos and sin, [tokens, head_dim / 2] float32.
struct RopeTable {
  at::Tensor cos, sin;
};

enum class RopePairs {
  adjacent,  // (x[2i], x[2i+1]), all in float32, rounded once. Ref: diffusers transformer_z_image.py apply_rotary_emb
  halves,    // (x[i], x[i + head_dim/2]), cos and sin cast to x's dtype, every product and sum in it. Ref: transformers
             // modeling_qwen3.py apply_rotary_pos_emb
  halves_float32,  // the same pairs, all in float32, rounded once. Ref: transformers modeling_qwen2_5_vl.py
                   // apply_rotary_pos_emb_vision
};

/// x [tokens, heads, head_dim], bfloat16 or float32, may be a view of a fused product: only a head's elements must be
/// contiguous.
void rope_(const at::Tensor& x, const RopeTable& table, RopePairs pairs);

/// RMS norms over each head of q and k: weights [head_dim] in the dtype of the heads.
struct HeadNorm {
  at::Tensor q, k;
  double eps = 0;
};

/// qk [tokens, q_heads + kv_heads, head_dim], as rope_ takes it: each head normed, then turned.
void norm_rope_(const at::Tensor& qk, std::int64_t q_heads, const HeadNorm& norm, const RopeTable& table,
                RopePairs pairs);

}  // namespace trireme::kernels
