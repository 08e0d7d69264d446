#include "worker/kernels/gated_product.h"

#include <ATen/ATen.h>

#include <vector>

#include "worker/kernels/call.h"
#include "worker/kernels/capability.h"
#include "worker/kernels/gate.h"
#include "worker/kernels/gated_tiles.h"
#include "worker/kernels/pair_order.h"

namespace trireme::kernels {
namespace {

constexpr int kColumnMultiple = 8;

at::Tensor launch(const at::Tensor& x, const at::Tensor& weight) {
  const at::Tensor out = at::empty({x.size(0), weight.size(0) / 2}, x.options());
  GatedProductLaunch args{};
  args.x = x.data_ptr(), args.weight = weight.data_ptr(), args.out = out.data_ptr();
  args.rows = static_cast<int>(x.size(0)), args.dim = static_cast<int>(out.size(1)),
  args.in = static_cast<int>(x.size(1));
  args.multiprocessors = multiprocessors(x.device());
  args.tile = choose_gated_tile(args.rows, 2 * args.dim, args.multiprocessors);
  args.clusters_together = clusters_together(kGatedTiles[args.tile], args.rows, args.in);
  enqueue(x, "gated_product", [&](cudaStream_t stream) { return launch_gated_product(args, stream); });
  return out;
}

at::Tensor multiply_plainly(const at::Tensor& x, const at::Tensor& weight) {
  const std::int64_t rows = x.size(0), dim = weight.size(0) / 2;
  const at::Tensor halves = at::linear(x, weight).view({rows, dim / kPairOutputs, 2, kPairOutputs});
  const auto half = [&](std::int64_t i) { return halves.select(2, i).reshape({rows, dim}); };
  return silu_mul(half(0), half(1));
}

}  // namespace

bool has_gated_product(c10::Device device, at::ScalarType dtype) {
  return dtype == at::kBFloat16 && *cutlass_version() != '\0' && capability(device) == 90;
}

std::string cutlass_version_text() { return cutlass_version(); }

bool fits_pairs(at::IntArrayRef weight_shape) {
  return weight_shape.size() == 2 && weight_shape[0] > 0 && weight_shape[0] % kPairRows == 0 && weight_shape[1] > 0 &&
         weight_shape[1] % kColumnMultiple == 0;
}

at::Tensor in_pairs(const at::Tensor& stacked) {
  require(fits_pairs(stacked.sizes()), "in_pairs wants [rows, in], multiples of 16 and 8");
  std::vector<std::int64_t> from;
  for (int row = 0; row < stacked.size(0); ++row)
    from.push_back(stacked_row(row, static_cast<int>(stacked.size(0) / 2)));
  return stacked.index_select(0, at::tensor(from, at::kLong).to(stacked.device()));
}

at::Tensor gated_product(const at::Tensor& x, const at::Tensor& weight) {
  require(x.dim() == 2 && fits_pairs(weight.sizes()) && x.size(1) == weight.size(1) && is_element(x) &&
              x.scalar_type() == weight.scalar_type(),
          "gated_product wants x [rows, in] and a weight of multiples of 16 and 8, both float32 or bfloat16");
  const bool fits = has_gated_product(x.device(), x.scalar_type()) && x.size(0) > 0 && x.is_contiguous() &&
                    weight.is_contiguous() && aligned({x, weight});
  return fits ? launch(x, weight) : multiply_plainly(x, weight);
}

}  // namespace trireme::kernels
