#include "worker/vision/autoencoder_kl.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>
#include <utility>

#include "worker/kernels/group_norm.h"
#include "worker/kernels/pixels.h"
#include "worker/vision/autoencoder_blocks.h"

namespace trireme {
namespace {

constexpr double kAnyFactor = 1e6;
constexpr double kUsualScaling = 0.18215;  // of AutoencoderKL; those of Z-Image say 0.3611

/// Every pixel twice in both directions, then the convolution; or both at once, where its weight is folded.
at::Tensor upsampled(const at::Tensor& x, const nn::Conv2d& conv) {
  if (conv.weight.size(2) == 2) {
    return kernels::join_doubled(at::conv2d(x, conv.weight, {}, /*stride=*/1, /*padding=*/1), conv.bias);
  }
  return conv(at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)}));
}

std::vector<std::int64_t> channels_from_shapes(const PartConfig& part) {
  const std::optional<std::int64_t> levels = part.count("decoder.up_blocks.");
  std::vector<std::int64_t> channels;
  for (std::int64_t level = levels.value_or(0) - 1; level >= 0; --level) {
    const std::string name = "decoder.up_blocks." + std::to_string(level) + ".resnets.0.conv1.weight";
    channels.push_back(part.dimension({name}, 0).value_or(0));
  }
  return channels;
}

}  // namespace

AutoencoderConfig autoencoder_config(const PartConfig& part) {
  const JsonObject json = part.json();
  AutoencoderConfig config;
  config.channels =
      json.has("block_out_channels") ? json.get_ints("block_out_channels", 1, 1 << 20, 8) : channels_from_shapes(part);
  if (config.channels.empty()) json.fail("block_out_channels", "missing, and no tensor tells it");
  config.latent_channels = part.size("latent_channels", part.dimension({"decoder.conv_in.weight"}, 1));
  config.out_channels = part.size("out_channels", part.dimension({"decoder.conv_out.weight"}, 0));
  std::optional<std::int64_t> layers = part.count("decoder.up_blocks.0.resnets.");
  if (layers) --*layers;
  config.layers_per_block = part.layers("layers_per_block", layers);
  config.groups = static_cast<int>(json.get_int_or("norm_num_groups", 32, 1, 1 << 20));
  config.sample_size = json.get_int_or("sample_size", 1024, 1, 1 << 20);
  config.post_quant_conv = json.get_bool_or("use_post_quant_conv", true);
  config.mid_attention = json.get_bool_or("mid_block_add_attention", true);
  config.scaling_factor = json.get_double_or("scaling_factor", kUsualScaling, 1e-6, kAnyFactor);
  config.shift_factor = json.get_double_or("shift_factor", 0, -kAnyFactor, kAnyFactor);
  for (const std::int64_t channels : config.channels) {
    if (channels % config.groups != 0) {
      json.fail("norm_num_groups", std::to_string(config.groups) + " does not divide " + std::to_string(channels) +
                                       " of block_out_channels");
    }
  }
  if (json.get_string_or("act_fn", "silu") != "silu") json.fail("act_fn", "only silu is supported");
  if (json.has("latents_mean")) json.fail("latents_mean", "is not supported");
  return config;
}

struct AutoencoderDecoder::Modules {
  struct UpBlock {
    std::vector<ResnetBlock> resnets;
    nn::Conv2d upsampler;
  };
  nn::Conv2d post_quant_conv, conv_in, conv_out;
  ResnetBlock mid_first, mid_last;
  SpatialAttention mid_attention;
  std::vector<UpBlock> up_blocks;
  at::Tensor norm_out_weight, norm_out_bias;
};

AutoencoderDecoder::AutoencoderDecoder(AutoencoderConfig config)
    : config_(std::move(config)), modules_(std::make_unique<Modules>()) {
  const std::size_t levels = config_.channels.size();
  const int groups = config_.groups;
  modules_->up_blocks.resize(levels);
  steps_.push_back([this](const at::Tensor& x) {
    return modules_->conv_in(config_.post_quant_conv ? modules_->post_quant_conv(x) : x);
  });
  steps_.push_back([this, groups](const at::Tensor& x) { return modules_->mid_first(x, groups); });
  if (config_.mid_attention) {
    steps_.push_back([this, groups](const at::Tensor& x) { return modules_->mid_attention(x, groups); });
  }
  steps_.push_back([this, groups](const at::Tensor& x) { return modules_->mid_last(x, groups); });
  for (std::size_t level = 0; level < levels; ++level) {
    Modules::UpBlock& block = modules_->up_blocks[level];
    block.resnets.resize(static_cast<std::size_t>(config_.layers_per_block + 1));
    for (const ResnetBlock& resnet : block.resnets) {
      steps_.push_back([&resnet, groups](const at::Tensor& x) { return resnet(x, groups); });
    }
    if (level + 1 < levels) {
      steps_.push_back([&block](const at::Tensor& x) { return upsampled(x, block.upsampler); });
    }
  }
  steps_.push_back([this, groups](const at::Tensor& x) {
    return modules_->conv_out(kernels::group_norm(x, groups, modules_->norm_out_weight, modules_->norm_out_bias,
                                                  kAutoencoderNormEps, /*silu=*/true));
  });
}

AutoencoderDecoder::~AutoencoderDecoder() = default;

void AutoencoderDecoder::want(Parameters& parameters, const PartConfig& part) {
  const std::int64_t latent = config_.latent_channels, deepest = config_.channels.back();
  if (config_.post_quant_conv) modules_->post_quant_conv.want(parameters, "post_quant_conv", latent, latent, 1);
  modules_->conv_in.want(parameters, "decoder.conv_in", deepest, latent, 3);
  modules_->mid_first.want(parameters, "decoder.mid_block.resnets.0.", deepest, deepest);
  if (config_.mid_attention) {
    modules_->mid_attention.want(parameters, "decoder.mid_block.attentions.0.", deepest, part);
  }
  modules_->mid_last.want(parameters, "decoder.mid_block.resnets.1.", deepest, deepest);
  std::int64_t in = deepest;
  for (std::size_t level = 0; level < modules_->up_blocks.size(); ++level) {
    Modules::UpBlock& block = modules_->up_blocks[level];
    const std::int64_t out = config_.channels[config_.channels.size() - 1 - level];
    const std::string prefix = "decoder.up_blocks." + std::to_string(level) + ".";
    for (std::size_t i = 0; i < block.resnets.size(); ++i) {
      block.resnets[i].want(parameters, prefix + "resnets." + std::to_string(i) + ".", out, i == 0 ? in : out);
    }
    if (level + 1 < modules_->up_blocks.size()) {
      block.upsampler.want(parameters, prefix + "upsamplers.0.conv", out, out, 3);
      block.upsampler.allow_folding(parameters);
    }
    in = out;
  }
  parameters.want("decoder.conv_norm_out.weight", {in}, &modules_->norm_out_weight);
  parameters.want("decoder.conv_norm_out.bias", {in}, &modules_->norm_out_bias);
  modules_->conv_out.want(parameters, "decoder.conv_out", config_.out_channels, in, 3);
  parameters.skip("encoder.", "the encoder is not needed to decode");
  parameters.skip("quant_conv.", "the encoder is not needed to decode");
}

at::Tensor AutoencoderDecoder::unscale(const at::Tensor& latents) const {
  const at::Tensor result = latents / config_.scaling_factor + config_.shift_factor;
  return result.is_cuda() ? result.contiguous(at::MemoryFormat::ChannelsLast) : result;  // what tensor cores want
}

}  // namespace trireme
