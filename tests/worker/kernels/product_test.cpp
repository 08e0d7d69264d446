#include "worker/kernels/product.h"

#include "tests/worker/kernels/compare.h"

namespace trireme {
namespace {

using kernels::product;
using kernels::ProductShape;

TEST(Product, IsThatOfTheMatrixTurned) {
  for (const at::ScalarType dtype : kDtypes) {
    const at::Tensor x = random({2, 5, 48}, dtype, 1), weight = random({32, 48}, dtype, 2);
    const at::Tensor expected = at::matmul(x.to(at::kDouble), weight.to(at::kDouble).t());
    EXPECT_LT(relative_error(product(x, weight), expected), tolerance(dtype));
    EXPECT_EQ(product(x, weight).scalar_type(), dtype);
  }
}

// On a GPU of the table by the table, on others by cuBLAS: every row and column within bfloat16's rounding of float32's
// product (a tile that is left out or put elsewhere would be off by a whole value), twice the same bits.
TEST(Product, OfEveryMeasuredShapeIsThatOfFloat32) {
  TRIREME_NEEDS_GPU();
  for (const ProductShape& s : kernels::measured_products()) {
    SCOPED_TRACE(std::to_string(s.rows) + ", " + std::to_string(s.out) + ", " + std::to_string(s.in));
    const at::Tensor x = random({s.rows, s.in}, at::kBFloat16, 1).cuda(),
                     weight = random({s.out, s.in}, at::kBFloat16, 2).cuda() * 0.02;
    const at::Tensor got = product(x, weight);
    const at::Tensor expected = at::linear(x.to(at::kFloat), weight.to(at::kFloat));
    EXPECT_EQ(got.sizes(), expected.sizes());
    EXPECT_LT(relative_error(got, expected), tolerance(at::kBFloat16));
    EXPECT_TRUE(at::equal(got, product(x, weight)));
  }
}

TEST(Product, OfRowsThatLieApartIsThatOfTheirCopy) {
  TRIREME_NEEDS_GPU();
  const ProductShape s = kernels::measured_products().front();
  const at::Tensor wide = random({s.rows, 2 * s.in}, at::kBFloat16, 1).cuda(),
                   weight = random({s.out, s.in}, at::kBFloat16, 2).cuda();
  const at::Tensor apart = wide.narrow(1, 0, s.in);
  EXPECT_LT(relative_error(product(apart, weight), product(apart.contiguous(), weight)), tolerance(at::kBFloat16));
}

}  // namespace
}  // namespace trireme
