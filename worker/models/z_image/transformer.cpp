#include "worker/models/z_image/transformer.h"

#include <ATen/ATen.h>

#include <utility>

#include "worker/kernels/norm.h"
#include "worker/nn/patches.h"
#include "worker/nn/upload.h"

namespace trireme::z_image {
namespace {

constexpr double kFinalNormEps = 1e-6;
constexpr double kQueryKeyEps = 1e-5;  // fixed in the reference, whatever norm_eps says

/// Rows up to `total` are copies of `pad_token` [1, dim].
at::Tensor pad_rows(const at::Tensor& rows, const at::Tensor& pad_token, std::int64_t total) {
  if (rows.size(0) == total) return rows;
  return at::cat({rows, pad_token.expand({total - rows.size(0), rows.size(1)})});
}

enum class Tokens { image, caption, all };

/// Each picture's; empty for one picture.
nn::Pictures rows_of(const Grids& grids, Tokens tokens) {
  if (grids.size() == 1) return {};
  nn::Pictures rows;
  for (const TokenGrid& grid : grids) {
    rows.push_back((tokens == Tokens::caption ? 0 : grid.padded_image()) +
                   (tokens == Tokens::image ? 0 : grid.padded_caption()));
  }
  return rows;
}

nn::DitBlockConfig block_config(const TransformerConfig& config) {
  return {config.dim,       config.heads,    config.heads, config.head_dim, config.feed_forward,
          config.adaln_dim, config.norm_eps, kQueryKeyEps, config.qk_norm};
}

nn::DitBlockNames block_names(bool fused) {
  nn::DitBlockNames names;
  if (fused) names.qkv = "attention.qkv";
  names.to_q = "attention.to_q", names.to_k = "attention.to_k", names.to_v = "attention.to_v";
  names.to_out = fused ? "attention.out" : "attention.to_out.0";
  names.norm_q = fused ? "attention.q_norm" : "attention.norm_q";
  names.norm_k = fused ? "attention.k_norm" : "attention.norm_k";
  names.w1 = "feed_forward.w1", names.w2 = "feed_forward.w2", names.w3 = "feed_forward.w3";
  names.attention_norm1 = "attention_norm1", names.attention_norm2 = "attention_norm2";
  names.ffn_norm1 = "ffn_norm1", names.ffn_norm2 = "ffn_norm2";
  names.modulation = "adaLN_modulation.0";
  return names;
}

}  // namespace

Transformer::Transformer(TransformerConfig config)
    : config_(std::move(config)),
      block_(block_config(config_)),
      noise_refiner_(static_cast<std::size_t>(config_.refiners)),
      context_refiner_(static_cast<std::size_t>(config_.refiners)),
      layers_(static_cast<std::size_t>(config_.layers)) {}

void Transformer::want(Parameters& parameters, const Stage& stage) {
  using nn::Bias;
  const std::string& prefix = config_.names.prefix;
  const std::int64_t dim = config_.dim, patch = kPatch * kPatch * config_.channels;
  const nn::DitBlockNames names = block_names(config_.names.fused);
  const auto block = [&](std::vector<nn::DitBlock>& list, std::size_t i, const char* name, bool modulated,
                         LayerPart part = LayerPart::whole) {
    list[i].want(parameters, prefix + name + "." + std::to_string(i) + ".", block_, names, modulated, part);
  };
  time_in_.want(parameters, prefix + "t_embedder.mlp.0", config_.time_hidden, nn::kTimeFrequencies, Bias::present);
  time_out_.want(parameters, prefix + "t_embedder.mlp.2", config_.adaln_dim, config_.time_hidden, Bias::present);
  if (stage.first()) {
    x_embedder_.want(parameters, config_.names.x_embedder(), dim, patch, Bias::present);
    parameters.want(prefix + "cap_embedder.0.weight", {config_.caption_dim}, &caption_norm_);
    caption_embedder_.want(parameters, prefix + "cap_embedder.1", dim, config_.caption_dim, Bias::present);
    parameters.want(prefix + "x_pad_token", {1, dim}, &x_pad_token_);
    parameters.want(prefix + "cap_pad_token", {1, dim}, &cap_pad_token_);
    for (std::size_t i = 0; i < noise_refiner_.size(); ++i) block(noise_refiner_, i, "noise_refiner", true);
    for (std::size_t i = 0; i < context_refiner_.size(); ++i) block(context_refiner_, i, "context_refiner", false);
  }
  own_refiners_ = {0, stage.first() ? static_cast<int>(noise_refiner_.size()) : 0};
  own_layers_ = stage.layers(static_cast<int>(layers_.size()));
  for (int i = own_layers_.first; i < own_layers_.last; ++i) {
    block(layers_, static_cast<std::size_t>(i), "layers", true, own_layers_.part(i));
  }
  if (stage.last()) {
    const std::string final_layer = config_.names.final_layer();
    final_linear_.want(parameters, final_layer + "linear", patch, dim, Bias::present);
    final_modulation_.want(parameters, final_layer + "adaLN_modulation.1", dim, config_.adaln_dim, Bias::present);
  }
  parameters.skip(prefix + "norm_final.", "the model has no use for it");
}

GridRope Transformer::rope(const TokenGrid& grid) const {
  std::vector<nn::AxisIds> caption, image;
  for (std::int64_t i = 0; i < grid.padded_caption(); ++i) caption.push_back({1 + i, 0, 0});  // pads count on
  for (std::int64_t row = 0; row < grid.height; ++row) {
    for (std::int64_t column = 0; column < grid.width; ++column) {
      image.push_back({grid.padded_caption() + 1, row, column});
    }
  }
  image.resize(static_cast<std::size_t>(grid.padded_image()));  // pads stand at (0, 0, 0)
  GridRope result;
  result.image = nn::axis_rope_table(image, config_.axes_dims, config_.rope_theta);
  result.caption = nn::axis_rope_table(caption, config_.axes_dims, config_.rope_theta);
  result.all = nn::concatenate(result.image, result.caption);
  return result;
}

at::Tensor Transformer::time_features(const std::vector<float>& times) const {
  return nn::time_features(times, config_.time_scale);
}

std::vector<nn::DitCondition> Transformer::conditions(const at::Tensor& features, bool factors) const {
  const at::Tensor vectors = time_out_(at::silu(time_in_(features.to(time_in_.weight.scalar_type()))));
  return nn::conditions(vectors, {noise_refiners(), layers()}, factors);
}

at::Tensor Transformer::embed_image(const at::Tensor& latents, const Grids& grids) const {
  const auto embed = [&](const at::Tensor& one, const TokenGrid& grid) {
    return pad_rows(x_embedder_(nn::to_patches(one)), x_pad_token_, grid.padded_image());
  };
  if (grids.size() == 1) return embed(latents, grids[0]);
  std::vector<at::Tensor> rows;
  for (std::size_t i = 0; i < grids.size(); ++i) rows.push_back(embed(latents[static_cast<std::int64_t>(i)], grids[i]));
  return at::cat(rows);
}

at::Tensor Transformer::join(const at::Tensor& images, const at::Tensor& captions, const Grids& grids) const {
  if (grids.size() == 1) return at::cat({images, captions});
  std::vector<at::Tensor> pieces;
  std::int64_t image = 0, caption = 0;
  for (const TokenGrid& grid : grids) {
    pieces.push_back(images.narrow(0, image, grid.padded_image()));
    pieces.push_back(captions.narrow(0, caption, grid.padded_caption()));
    image += grid.padded_image();
    caption += grid.padded_caption();
  }
  return at::cat(pieces);
}

at::Tensor Transformer::embed_caption(const at::Tensor& features, const TokenGrid& grid) const {
  const at::Tensor normed = kernels::rms_norm(features, caption_norm_, config_.norm_eps);
  return pad_rows(caption_embedder_(normed), cap_pad_token_, grid.padded_caption());
}

nn::DitRows Transformer::noise_refiner(std::size_t i, const nn::DitRows& rows, const nn::RopeTable& rope,
                                       const nn::DitCondition& condition, const Grids& grids) const {
  return run_block(noise_refiners(), i, rows, rope, condition, block_, LayerPart::whole, rows_of(grids, Tokens::image));
}

at::Tensor Transformer::context_refiner(std::size_t i, const at::Tensor& x, const nn::RopeTable& rope,
                                        const Grids& grids) const {
  return context_refiner_[i]({x, {}}, rope, {}, block_, LayerPart::whole, rows_of(grids, Tokens::caption)).hidden;
}

nn::DitRows Transformer::layer(std::size_t i, const nn::DitRows& rows, const nn::RopeTable& rope,
                               const nn::DitCondition& condition, const Grids& grids, LayerPart part) const {
  return run_block(layers(), i, rows, rope, condition, block_, part, rows_of(grids, Tokens::all));
}

at::Tensor Transformer::forward(const Inputs& inputs, const Grids& grids, at::ScalarType dtype) const {
  nn::DitRows rows{embed_image(inputs.latents.to(dtype), grids), {}};
  for (std::size_t i = 0; i < noise_refiner_.size(); ++i) {
    rows = noise_refiner(i, rows, inputs.image, inputs.condition, grids);
  }
  rows = {join(rows.hidden, inputs.caption, grids), {}};
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    rows = layer(i, rows, inputs.all, inputs.condition, grids);
  }
  return velocity(rows.hidden, inputs.condition, grids).to(at::kFloat);
}

at::Tensor Transformer::velocity(const at::Tensor& hidden, const nn::DitCondition& condition,
                                 const Grids& grids) const {
  const at::Tensor scale = final_modulation_(at::silu(condition.vector)).flatten() + 1;
  std::vector<at::Tensor> pictures;
  std::int64_t first = 0;
  for (const TokenGrid& grid : grids) {
    const at::Tensor rows = hidden.narrow(0, first, grid.image());
    const at::Tensor image = kernels::layer_norm(rows, scale, kFinalNormEps);
    pictures.push_back(nn::from_patches(final_linear_(image), grid.height, grid.width));
    first += grid.padded_image() + grid.padded_caption();
  }
  return grids.size() == 1 ? pictures[0] : at::stack(pictures);
}

}  // namespace trireme::z_image
