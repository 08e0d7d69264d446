#include "worker/kernels/pixels.h"

#include <ATen/ATen.h>

#include "worker/kernels/call.h"

namespace trireme::kernels {
namespace {

constexpr std::int64_t kMostRows = 65535;                      // of a grid
constexpr std::int64_t kMostElements = std::int64_t{8} << 32;  // octets are counted in 32 bits

bool fits(const at::Tensor& x) {
  return x.is_cuda() && x.numel() > 0 && x.numel() < kMostElements && x.size(1) % 8 == 0 &&
         x.is_contiguous(at::MemoryFormat::ChannelsLast) && aligned({x});
}

bool fits(const Biased& part) { return fits(part.x) && (!part.bias.defined() || part.bias.is_contiguous()); }

void check_part(const Biased& part) {
  require(part.x.dim() == 4 && is_element(part.x), "a picture must be [N, C, H, W], float32 or bfloat16");
  require(!part.bias.defined() || (part.bias.dim() == 1 && part.bias.size(0) == part.x.size(1) &&
                                   part.bias.scalar_type() == part.x.scalar_type()),
          "a bias must be [C] in the dtype of the picture");
}

void add_bias_(const Biased& part) {
  if (part.bias.defined()) part.x.add_(part.bias.view({1, -1, 1, 1}));
}

}  // namespace

at::Tensor add_biased_(const Biased& a, const Biased& b) {
  check_part(a);
  if (b.x.defined()) {
    check_part(b);
    require(b.x.sizes() == a.x.sizes() && b.x.scalar_type() == a.x.scalar_type(), "pictures of a sum must be alike");
  }
  if (!a.bias.defined() && !b.x.defined()) return a.x;
  if (!fits(a) || (b.x.defined() && !fits(b)) || !aligned({a.bias, b.bias})) {
    add_bias_(a);
    if (!b.x.defined()) return a.x;
    return a.x.add_(b.bias.defined() ? b.x + b.bias.view({1, -1, 1, 1}) : b.x);
  }
  const AddBiasedLaunch args{a.x.data_ptr(),
                             pointer(b.x),
                             pointer(a.bias),
                             pointer(b.bias),
                             a.x.numel() / a.x.size(1),
                             static_cast<int>(a.x.size(1))};
  enqueue(a.x, "add_biased", [&](cudaStream_t stream) { return launch_add_biased(element(a.x), args, stream); });
  return a.x;
}

at::Tensor fold_doubling(const at::Tensor& weight) {
  require(weight.dim() == 4 && weight.size(2) == 3 && weight.size(3) == 3, "only 3x3 kernels are folded");
  // Two of three: an even row or column of the doubled picture sees the first apart, an odd one the last.
  const auto fold = [](const at::Tensor& three, std::int64_t dim, int odd) {
    const auto part = [&](std::int64_t i) { return three.narrow(dim, i, 1); };
    return odd == 0 ? at::cat({part(0), part(1) + part(2)}, dim) : at::cat({part(0) + part(1), part(2)}, dim);
  };
  const at::Tensor exact = weight.to(at::kFloat);
  std::vector<at::Tensor> kinds;
  for (const int a : {0, 1}) {
    for (const int b : {0, 1}) kinds.push_back(fold(fold(exact, 2, a), 3, b));
  }
  return at::cat(kinds).to(weight.scalar_type(), /*non_blocking=*/false, /*copy=*/false,
                           at::MemoryFormat::ChannelsLast);
}

at::Tensor join_doubled(const at::Tensor& y, const at::Tensor& bias) {
  require(y.dim() == 4 && is_element(y) && y.size(1) % 4 == 0 && y.size(2) > 1 && y.size(3) > 1,
          "what a folded convolution makes must be [N, 4 O, H + 1, W + 1], float32 or bfloat16");
  const std::int64_t images = y.size(0), channels = y.size(1) / 4, height = y.size(2) - 1, width = y.size(3) - 1;
  const at::Tensor out =
      at::empty({images, channels, 2 * height, 2 * width}, y.options(), at::MemoryFormat::ChannelsLast);
  check_part({out, bias});
  if (!fits({y, bias}) || channels % 8 != 0 || !aligned({bias}) || 2 * images * height > kMostRows) {
    for (const int a : {0, 1}) {
      for (const int b : {0, 1}) {
        out.slice(2, a, {}, 2)
            .slice(3, b, {}, 2)
            .copy_(y.narrow(1, (2 * a + b) * channels, channels).narrow(2, a, height).narrow(3, b, width));
      }
    }
    return add_biased_({out, bias});
  }
  const JoinDoubledLaunch args{
      y.data_ptr(), pointer(bias), out.data_ptr(), images, height, width, static_cast<int>(channels)};
  enqueue(y, "join_doubled", [&](cudaStream_t stream) { return launch_join_doubled(element(y), args, stream); });
  return out;
}

at::Tensor to_bytes(const at::Tensor& image) {
  require(image.dim() == 3 && image.size(0) == 3 && is_element(image),
          "an image must be [3, H, W], float32 or bfloat16");
  const std::int64_t height = image.size(1), width = image.size(2);
  if (!image.is_cuda() || image.numel() == 0 || height > kMostRows) {
    const at::Tensor levels = (image.to(at::kFloat) * 0.5 + 0.5).clamp(0, 1) * 255;
    return at::round(levels).permute({1, 2, 0}).to(at::kByte).contiguous();
  }
  at::Tensor out = at::empty({height, width, 3}, image.options().dtype(at::kByte));
  const ToBytesLaunch args{image.data_ptr(),
                           out.data_ptr<std::uint8_t>(),
                           height,
                           width,
                           {image.stride(0), image.stride(1), image.stride(2)}};
  enqueue(image, "to_bytes", [&](cudaStream_t stream) { return launch_to_bytes(element(image), args, stream); });
  return out;
}

}  // namespace trireme::kernels
