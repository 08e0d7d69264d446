#include "worker/kernels/gated_product.h"

#include <ATen/ATen.h>

#include <vector>

#include "worker/kernels/call.h"
#include "worker/kernels/capability.h"
#include "worker/kernels/gate.h"
#include "worker/kernels/pair_order.h"

namespace trireme::kernels {
namespace {

constexpr int kTileRows = 128, kTileColumns = 256, kColumnMultiple = 8;

/// How tiles are dealt out to the multiprocessors of an H200, milliseconds a product, rows x outputs x in:
///                                in twos   alone   cuBLAS, silu_mul
///   4224 x 2 * 10240 x 3840       1.006    1.026    1.048    20 turns of 132 tiles
///   4352 x 2 *  9216 x 2304          -     0.579    0.625    18.5 turns
///   1152 x 2 * 10240 x 3840       0.305    0.285    0.296    5.5 turns
/// Two tiles in step wait for each other where a turn is not full. The tiles of a column are walked one after the
/// other: a turn then has four columns and all rows, and what it reads lies in the L2 cache. With more rows four
/// columns are walked side by side, so that a turn keeps that form (not measured).
void deal_out(GatedProductLaunch& args) {
  constexpr int kManyRows = 64;
  const int rows = tiles_of(args.rows, kTileRows), columns = tiles_of(2 * args.dim, kTileColumns);
  const int turns = tiles_of(rows * columns, args.multiprocessors);
  const int idle = turns * args.multiprocessors - rows * columns;
  args.in_twos = columns % 2 == 0 && idle * 100 < turns * args.multiprocessors;
  args.columns_together = rows < kManyRows ? 1 : 4;
}

at::Tensor launch(const at::Tensor& x, const at::Tensor& weight) {
  const at::Tensor out = at::empty({x.size(0), weight.size(0) / 2}, x.options());
  GatedProductLaunch args{};
  args.x = x.data_ptr(), args.weight = weight.data_ptr(), args.out = out.data_ptr();
  args.rows = static_cast<int>(x.size(0)), args.dim = static_cast<int>(out.size(1)),
  args.in = static_cast<int>(x.size(1));
  args.multiprocessors = multiprocessors(x.device());
  deal_out(args);
  enqueue(x, "gated_product", [&](cudaStream_t stream) { return launch_gated_product(args, stream); });
  return out;
}

at::Tensor multiply_plainly(const at::Tensor& x, const at::Tensor& weight) {
  const std::int64_t rows = x.size(0), dim = weight.size(0) / 2;
  constexpr std::int64_t kGroups = kPairsPerStore, kThreads = kPairOutputs / kPairsPerStore;
  const at::Tensor pairs = at::linear(x, weight).view({rows, dim / kPairOutputs, kGroups, kThreads, 2});
  const auto half = [&](std::int64_t i) { return pairs.select(4, i).transpose(2, 3).reshape({rows, dim}); };
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
  require(fits_pairs(stacked.sizes()), "in_pairs wants [rows, in], multiples of 64 and 8");
  std::vector<std::int64_t> from;
  for (int row = 0; row < stacked.size(0); ++row)
    from.push_back(stacked_row(row, static_cast<int>(stacked.size(0) / 2)));
  return stacked.index_select(0, at::tensor(from, at::kLong).to(stacked.device()));
}

at::Tensor gated_product(const at::Tensor& x, const at::Tensor& weight) {
  require(x.dim() == 2 && fits_pairs(weight.sizes()) && x.size(1) == weight.size(1) && is_element(x) &&
              x.scalar_type() == weight.scalar_type(),
          "gated_product wants x [rows, in] and a weight of multiples of 64 and 8, both float32 or bfloat16");
  const bool fits = has_gated_product(x.device(), x.scalar_type()) && x.size(0) > 0 && x.is_contiguous() &&
                    weight.is_contiguous() && aligned({x, weight});
  return fits ? launch(x, weight) : multiply_plainly(x, weight);
}

}  // namespace trireme::kernels
