#include "worker/kernels/group_norm.h"

#include <ATen/ATen.h>

#include "worker/kernels/call.h"

namespace trireme::kernels {
namespace {

/// The kernels' result, or an undefined tensor where they can't run.
at::Tensor on_gpu(const at::Tensor& input, int groups, const at::Tensor& weight, const at::Tensor& bias, double eps,
                  bool silu, const at::Tensor& x_bias) {
  const at::MemoryFormat format = input.suggest_memory_format();
  const bool channels_last = format == at::MemoryFormat::ChannelsLast;
  const std::int64_t images = input.size(0), channels = input.size(1), pixels = input.size(2) * input.size(3);
  const bool fits = input.is_cuda() && is_element(input) && input.numel() > 0 && images * channels <= 65535 &&
                    (channels_last ? channels % 8 == 0 && channels <= kLargestGroupNormChannels : pixels % 8 == 0);
  if (!fits) return {};
  const at::Tensor x = input.contiguous(format);
  if (!weight.is_contiguous() || !bias.is_contiguous() || !aligned({x, weight, bias, x_bias})) return {};
  if (x_bias.defined() && !(channels_last && x_bias.is_contiguous())) return {};
  at::Tensor out = at::empty_like(x);
  GroupNormLaunch args{};
  args.x = x.data_ptr();
  args.weight = weight.data_ptr();
  args.bias = bias.data_ptr();
  args.x_bias = pointer(x_bias);
  args.out = out.data_ptr();
  args.pixels = pixels;
  args.images = static_cast<int>(images);
  args.channels = static_cast<int>(channels);
  args.groups = groups;
  args.eps = static_cast<float>(eps);
  args.channels_last = channels_last;
  args.silu = silu;
  const at::Tensor partial = at::empty({group_norm_partials(args)}, x.options().dtype(at::kDouble));
  const at::Tensor scale_shift = at::empty({images, 2, channels}, x.options().dtype(at::kFloat));
  args.partial = partial.data_ptr<double>();
  args.scale_shift = scale_shift.data_ptr<float>();
  enqueue(x, "group_norm", [&](cudaStream_t stream) { return launch_group_norm(element(x), args, stream); });
  return out;
}

}  // namespace

at::Tensor group_norm(const at::Tensor& x, int groups, const at::Tensor& weight, const at::Tensor& bias, double eps,
                      bool silu, const at::Tensor& x_bias) {
  require(x.dim() == 4 && groups > 0 && x.size(1) % groups == 0,
          "group_norm wants x [N, C, H, W], C divisible by groups");
  require(weight.dim() == 1 && weight.size(0) == x.size(1) && bias.sizes() == weight.sizes(),
          "group_norm weight and bias must be [C]");
  require(weight.scalar_type() == x.scalar_type() && bias.scalar_type() == x.scalar_type(),
          "group_norm operands must share a dtype");
  require(!x_bias.defined() || (x_bias.sizes() == weight.sizes() && x_bias.scalar_type() == x.scalar_type()),
          "group_norm x_bias must be [C] in the dtype of x");
  if (at::Tensor out = on_gpu(x, groups, weight, bias, eps, silu, x_bias); out.defined()) return out;
  if (x_bias.defined()) return group_norm(x + x_bias.view({1, -1, 1, 1}), groups, weight, bias, eps, silu);
  // ATen's channels-last path sums squares in float32, which loses digits where the mean is far from zero; its bfloat16
  // path on a GPU rounds the mean.
  at::Tensor out =
      at::group_norm(x.to(at::kFloat).contiguous(), groups, weight.to(at::kFloat), bias.to(at::kFloat), eps);
  if (silu) at::silu_(out);
  return out.to(x.scalar_type()).contiguous(x.suggest_memory_format());
}

}  // namespace trireme::kernels
