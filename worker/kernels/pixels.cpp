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

at::Tensor double_pixels(const at::Tensor& x) {
  check_part({x, {}});
  const std::int64_t images = x.size(0), channels = x.size(1), height = x.size(2), width = x.size(3);
  if (!fits(x) || images * height > kMostRows) return at::upsample_nearest2d(x, {2 * height, 2 * width});
  at::Tensor out = at::empty({images, channels, 2 * height, 2 * width}, x.options(), at::MemoryFormat::ChannelsLast);
  const DoublePixelsLaunch args{x.data_ptr(), out.data_ptr(), images * height, width, static_cast<int>(channels)};
  enqueue(x, "double_pixels", [&](cudaStream_t stream) { return launch_double_pixels(element(x), args, stream); });
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
