#include "worker/models/newbie_image/transformer.h"

#include <ATen/ATen.h>

#include <string>
#include <utility>

#include "worker/kernels/norm.h"
#include "worker/nn/patches.h"

namespace trireme::newbie_image {
namespace {

constexpr double kFinalNormEps = 1e-6;

}  // namespace

Transformer::Transformer(TransformerConfig config)
    : config_(std::move(config)),
      noise_refiner_(static_cast<std::size_t>(config_.refiners)),
      context_refiner_(static_cast<std::size_t>(config_.refiners)),
      layers_(static_cast<std::size_t>(config_.layers)) {}

void Transformer::want(Parameters& parameters, const Stage& stage) {
  using nn::Bias;
  const TensorNames& names = config_.names;
  const std::string& prefix = names.prefix;
  const std::int64_t dim = config_.block.dim, condition = config_.block.condition_dim,
                     patch = nn::kPatch * nn::kPatch * config_.channels;
  const auto linear = [&](nn::Linear& layer, const std::string& name, std::int64_t out, std::int64_t in) {
    layer.want(parameters, prefix + name, out, in, Bias::present);
  };
  const auto block = [&](std::vector<nn::DitBlock>& list, std::size_t i, const char* name, bool modulated,
                         LayerPart part = LayerPart::whole) {
    list[i].want(parameters, prefix + name + "." + std::to_string(i) + ".", config_.block,
                 modulated ? names.block : names.plain_block, modulated, part);
  };
  linear(time_in_, names.time_in, config_.time_hidden, nn::kTimeFrequencies);
  linear(time_out_, names.time_out, config_.time_dim, config_.time_hidden);
  linear(time_text_, names.time_text, condition, config_.time_dim + config_.pooled_out);
  if (stage.first()) {
    linear(x_embedder_, names.x_embedder, dim, patch);
    parameters.want(prefix + names.caption_norm + ".weight", {config_.caption_dim}, &caption_norm_);
    linear(caption_linear_, names.caption_linear, dim, config_.caption_dim);
    parameters.want(prefix + names.pooled_norm + ".weight", {config_.pooled_dim}, &pooled_norm_);
    linear(pooled_linear_, names.pooled_linear, config_.pooled_out, config_.pooled_dim);
    for (std::size_t i = 0; i < noise_refiner_.size(); ++i) block(noise_refiner_, i, "noise_refiner", true);
    for (std::size_t i = 0; i < context_refiner_.size(); ++i) block(context_refiner_, i, "context_refiner", false);
  }
  own_refiners_ = {0, stage.first() ? static_cast<int>(noise_refiner_.size()) : 0};
  own_layers_ = stage.layers(static_cast<int>(layers_.size()));
  for (int i = own_layers_.first; i < own_layers_.last; ++i) {
    block(layers_, static_cast<std::size_t>(i), "layers", true, own_layers_.part(i));
  }
  if (stage.last()) {
    linear(final_linear_, names.final_linear, patch, dim);
    linear(final_modulation_, names.final_modulation, dim, condition);
  }
  parameters.skip(prefix + "norm_final.", "the model has no use for it");
  parameters.skip(prefix + "clip_img_pooled_embedder.", "pictures as prompts are not supported");
}

GridRope Transformer::rope(const TokenGrid& grid) const {
  std::vector<nn::AxisIds> caption, image;
  for (std::int64_t i = 0; i < grid.caption; ++i) caption.push_back({i, 0, 0});
  for (std::int64_t row = 0; row < grid.height; ++row) {
    for (std::int64_t column = 0; column < grid.width; ++column) image.push_back({grid.caption, row, column});
  }
  GridRope result;
  result.caption = nn::axis_rope_table(caption, config_.axes_dims, config_.rope_theta);
  result.image = nn::axis_rope_table(image, config_.axes_dims, config_.rope_theta);
  result.all = nn::concatenate(result.caption, result.image);
  return result;
}

at::Tensor Transformer::embed_pooled(const at::Tensor& pooled) const {
  return pooled_linear_(kernels::rms_norm(pooled, pooled_norm_, config_.pooled_norm_eps));
}

std::vector<nn::DitCondition> Transformer::conditions(const at::Tensor& time_features, const at::Tensor& pooled,
                                                      bool factors) const {
  const at::Tensor time = time_out_(at::silu(time_in_(time_features.to(time_in_.weight.scalar_type()))));
  const at::Tensor text = pooled.expand({time.size(0), pooled.size(1)});
  // Every modulation begins with a SiLU of the same vector.
  const at::Tensor vectors = at::silu(time_text_(at::silu(at::cat({time, text}, 1))));
  return nn::conditions(vectors, {noise_refiners(), layers()}, factors);
}

at::Tensor Transformer::embed_image(const at::Tensor& latents) const { return x_embedder_(nn::to_patches(latents)); }

at::Tensor Transformer::embed_caption(const at::Tensor& features) const {
  return caption_linear_(kernels::rms_norm(features, caption_norm_, config_.block.norm_eps));
}

nn::DitRows Transformer::noise_refiner(std::size_t i, const nn::DitRows& rows, const nn::RopeTable& rope,
                                       const nn::DitCondition& condition) const {
  return run_block(noise_refiners(), i, rows, rope, condition, config_.block);
}

at::Tensor Transformer::context_refiner(std::size_t i, const at::Tensor& x, const nn::RopeTable& rope) const {
  return context_refiner_[i]({x, {}}, rope, {}, config_.block).hidden;
}

nn::DitRows Transformer::layer(std::size_t i, const nn::DitRows& rows, const nn::RopeTable& rope,
                               const nn::DitCondition& condition, LayerPart part) const {
  return run_block(layers(), i, rows, rope, condition, config_.block, part);
}

at::Tensor Transformer::velocity(const at::Tensor& hidden, const nn::DitCondition& condition,
                                 const TokenGrid& grid) const {
  const at::Tensor scale = final_modulation_(condition.vector).flatten() + 1;
  const at::Tensor rows = hidden.narrow(0, grid.caption, grid.height * grid.width);
  const at::Tensor image = kernels::layer_norm(rows, scale, kFinalNormEps);
  return nn::from_patches(final_linear_(image), grid.height, grid.width);
}

}  // namespace trireme::newbie_image
