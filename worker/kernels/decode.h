#pragma once
// One new token of each of several sequences, against their keys and values so far. On a GPU kernels of our own that
// take lengths and positions from device memory, so that nothing waits for the host; on a CPU plain ATen. What a
// sequence gets depends on its own keys only: splits have a fixed size and are summed in order. Enqueues on the current
// stream. Throws Error(internal) for shapes or dtypes that don't fit.

#include <ATen/core/Tensor.h>

#include "worker/kernels/rope.h"

namespace trireme::kernels {

/// Of one layer: [sequences, kv_heads, capacity, head_dim] each, contiguous.
struct LayerCache {
  at::Tensor keys, values;
};

/// Where the sequences stand: int32 [sequences] on the model's device.
struct DecodeRows {
  at::Tensor position;  // of the new token, a row of the rope table
  at::Tensor length;    // keys in the cache before it: its own row
};

/// qkv [sequences, (heads + 2 kv_heads) * head_dim]: q and k are turned (RopePairs::halves), q in place, k and v go to
/// the cache. table [positions, head_dim / 2].
void rope_append_(const at::Tensor& qkv, const RopeTable& table, const DecodeRows& rows, const LayerCache& cache);

/// q [sequences, heads, head_dim], perhaps a view of qkv; keys 0 to length, both included -> [sequences, heads *
/// head_dim]. kv_heads divides heads.
at::Tensor decode_attention(const at::Tensor& q, const LayerCache& cache, const DecodeRows& rows, double scale);

/// x [rows, in] times weight [out, in] transposed, plus bias [out] if defined, rounded, plus residual [rows, out] if
/// defined. For a few rows on a GPU a kernel that streams the weight once; else ATen's product.
at::Tensor few_rows_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {},
                           const at::Tensor& residual = {});

/// x [rows, in] times gate and up, the halves of weight [2 * out, in] transposed, plus bias [2 * out] if defined ->
/// silu(gate) * up [rows, out]. Rounded where few_rows_linear and silu_mul round.
at::Tensor few_rows_silu_mul(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {});

/// What the blocks of a picture's transformer scale and gate with: conditions [rows, in] times weight [4 * dim, in]
/// transposed, plus bias [4 * dim] -> [rows, 4, dim]: 1 + scale, tanh(gate), 1 + scale, tanh(gate), rounded at every
/// step. On a GPU up to four rows take one pass over the weight. Each row has the bits that it has alone.
/// Ref: diffusers transformer_z_image.py ZImageTransformerBlock.
at::Tensor modulation(const at::Tensor& conditions, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace trireme::kernels
