#include "worker/vision/autoencoder_blocks.h"

#include <ATen/ATen.h>

#include <vector>

#include "worker/kernels/group_norm.h"
#include "worker/nn/attention.h"

namespace trireme {

kernels::Biased without_bias(const nn::Conv2d& conv, const at::Tensor& x) {
  if (!x.is_cuda()) return {conv(x), {}};
  return {at::conv2d(x, conv.weight, {}, /*stride=*/1, /*padding=*/conv.weight.size(2) / 2), conv.bias};
}

void ResnetBlock::want(Parameters& parameters, const std::string& prefix, std::int64_t out, std::int64_t in) {
  parameters.want(prefix + "norm1.weight", {in}, &norm1_weight_);
  parameters.want(prefix + "norm1.bias", {in}, &norm1_bias_);
  conv1_.want(parameters, prefix + "conv1", out, in, 3);
  parameters.want(prefix + "norm2.weight", {out}, &norm2_weight_);
  parameters.want(prefix + "norm2.bias", {out}, &norm2_bias_);
  conv2_.want(parameters, prefix + "conv2", out, out, 3);
  if (in != out) shortcut_.want(parameters, prefix + "conv_shortcut", out, in, 1);
}

at::Tensor ResnetBlock::operator()(const at::Tensor& x, int groups) const {
  at::Tensor h = kernels::group_norm(x, groups, norm1_weight_, norm1_bias_, kAutoencoderNormEps, /*silu=*/true);
  const kernels::Biased middle = without_bias(conv1_, h);
  h = kernels::group_norm(middle.x, groups, norm2_weight_, norm2_bias_, kAutoencoderNormEps, /*silu=*/true,
                          middle.bias);
  return kernels::add_biased_(without_bias(conv2_, h),
                              shortcut_.weight.defined() ? without_bias(shortcut_, x) : kernels::Biased{x, {}});
}

void SpatialAttention::want(Parameters& parameters, const std::string& prefix, std::int64_t channels,
                            const PartConfig& part) {
  const bool old_names = part.has_tensor(prefix + "query.weight");
  const auto projection = [&](const char* name, const char* old_name, nn::Linear& layer) {
    const std::string full = prefix + (old_names ? old_name : name);
    std::vector<std::int64_t> shape = {channels, channels};
    if (part.dimension({full + ".weight"}, 3)) shape = {channels, channels, 1, 1};
    parameters.want(full + ".weight", shape, &layer.weight);
    parameters.want(full + ".bias", {channels}, &layer.bias);
  };
  parameters.want(prefix + "group_norm.weight", {channels}, &norm_weight_);
  parameters.want(prefix + "group_norm.bias", {channels}, &norm_bias_);
  projection("to_q", "query", to_q_);
  projection("to_k", "key", to_k_);
  projection("to_v", "value", to_v_);
  projection("to_out.0", "proj_attn", to_out_);
}

at::Tensor SpatialAttention::operator()(const at::Tensor& x, int groups) const {
  const std::int64_t channels = x.size(1), height = x.size(2), width = x.size(3);
  const at::Tensor normed =
      kernels::group_norm(x, groups, norm_weight_, norm_bias_, kAutoencoderNormEps, /*silu=*/false);
  const at::Tensor tokens = normed.permute({0, 2, 3, 1}).reshape({-1, channels});
  const auto one_head = [&](const nn::Linear& layer) { return layer(tokens).view({-1, height * width, 1, channels}); };
  const at::Tensor q = one_head(to_q_), k = one_head(to_k_), v = one_head(to_v_);
  std::vector<at::Tensor> attended;  // of each picture
  for (std::int64_t i = 0; i < q.size(0); ++i) attended.push_back(nn::attention(q[i], k[i], v[i]));
  const at::Tensor all = attended.size() == 1 ? attended[0] : at::cat(attended);
  return x + to_out_(all).view({-1, height, width, channels}).permute({0, 3, 1, 2});
}

}  // namespace trireme
