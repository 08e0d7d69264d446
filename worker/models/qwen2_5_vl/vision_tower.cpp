#include "worker/models/qwen2_5_vl/vision_tower.h"

#include <ATen/ATen.h>

#include <utility>

#include "worker/kernels/gate.h"
#include "worker/kernels/norm.h"
#include "worker/kernels/rope.h"
#include "worker/nn/upload.h"

namespace trireme::qwen2_5_vl {
namespace {

using nn::Bias;

constexpr double kNormEps = 1e-6;  // fixed in the reference
// The width of the MLP, 3420, sends a GPU to slow kernels; zeros up to a multiple of eight change no value.
constexpr std::int64_t kWidthMultiple = 8;

at::Tensor on_device(const std::vector<std::int64_t>& indices, at::Device device) {
  const at::Tensor host = at::empty({static_cast<std::int64_t>(indices.size())}, at::kLong);
  std::copy(indices.begin(), indices.end(), host.data_ptr<std::int64_t>());
  return nn::upload(host, device);
}

}  // namespace

void VisionBlock::want(Parameters& parameters, const std::string& prefix, const VisionConfig& config) {
  const std::int64_t dim = config.hidden, width = config.intermediate;
  parameters.want(prefix + "norm1.weight", {dim}, &norm1_);
  parameters.want(prefix + "norm2.weight", {dim}, &norm2_);
  qkv_.want(parameters, prefix + "attn.qkv", 3 * dim, dim, Bias::present);
  proj_.want(parameters, prefix + "attn.proj", dim, dim, Bias::present);
  gate_up_.want_joined(parameters, {{prefix + "mlp.gate_proj", width}, {prefix + "mlp.up_proj", width}}, dim,
                       Bias::present, kWidthMultiple);
  parameters.want(prefix + "mlp.down_proj.weight", {dim, width}, &down_.weight,
                  {0, dim, nn::padded(width, kWidthMultiple)});
  parameters.want(prefix + "mlp.down_proj.bias", {dim}, &down_.bias);
}

at::Tensor VisionBlock::operator()(const at::Tensor& x, const VisionConfig& config, const nn::RopeTable& rope,
                                   const std::vector<nn::Segments>& segments) const {
  const std::int64_t heads = config.heads;
  const at::Tensor qkv = qkv_(kernels::rms_norm(x, norm1_, kNormEps)).view({x.size(0), 3 * heads, config.head_dim()});
  kernels::rope_(qkv.narrow(1, 0, 2 * heads), rope, kernels::RopePairs::halves_float32);
  const at::Tensor middle = x + proj_(nn::segment_attention(qkv.narrow(1, 0, heads), qkv.narrow(1, heads, heads),
                                                            qkv.narrow(1, 2 * heads, heads), segments));
  const at::Tensor gate_up = gate_up_(kernels::rms_norm(middle, norm2_, kNormEps));
  const std::int64_t width = gate_up.size(1) / 2;
  return middle + down_(kernels::silu_mul(gate_up.narrow(1, 0, width), gate_up.narrow(1, width, width)));
}

VisionTower::VisionTower(VisionConfig config)
    : config_(std::move(config)), blocks_(static_cast<std::size_t>(config_.depth)) {}

void VisionTower::want(Parameters& parameters, const std::string& prefix) {
  parameters.want(prefix + "patch_embed.proj.weight",
                  {config_.hidden, config_.channels, config_.temporal, config_.patch, config_.patch},
                  &patch_embed_.weight);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    blocks_[i].want(parameters, prefix + "blocks." + std::to_string(i) + ".", config_);
  }
  const std::int64_t cell = config_.hidden * config_.cell();
  parameters.want(prefix + "merger.ln_q.weight", {config_.hidden}, &merger_norm_);
  merger_in_.want(parameters, prefix + "merger.mlp.0", cell, cell, Bias::present);
  merger_out_.want(parameters, prefix + "merger.mlp.2", config_.out_hidden, cell, Bias::present);
}

VisionPass VisionTower::begin(const VisionLayout& layout, at::Device device) const {
  return {on_device(layout.order, device), on_device(layout.reading, device), nn::upload(layout.rope, device),
          layout.windows, layout.whole};
}

at::Tensor VisionTower::embed(const at::Tensor& pixels, const VisionPass& pass) const {
  const at::Tensor x = patch_embed_(pixels.to(patch_embed_.weight.scalar_type()));
  return x.view({-1, config_.cell() * config_.hidden}).index_select(0, pass.order).view({-1, config_.hidden});
}

at::Tensor VisionTower::block(std::size_t index, const at::Tensor& x, const VisionPass& pass) const {
  return blocks_[index](x, config_, pass.rope, config_.sees_all[index] ? pass.whole : pass.windows);
}

at::Tensor VisionTower::merge(const at::Tensor& x, const VisionPass& pass) const {
  const at::Tensor cells = kernels::rms_norm(x, merger_norm_, kNormEps).view({-1, config_.cell() * config_.hidden});
  return merger_out_(at::gelu(merger_in_(cells))).index_select(0, pass.reading);
}

}  // namespace trireme::qwen2_5_vl
