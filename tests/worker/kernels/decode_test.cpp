#include "worker/kernels/decode.h"

#include "common/errors.h"
#include "tests/worker/kernels/compare.h"

namespace trireme {
namespace {

using namespace kernels;

struct Shape {
  std::int64_t heads, kv_heads, head_dim;
};
constexpr Shape kShapes[] = {{4, 2, 16}, {28, 4, 128}, {16, 2, 128}, {3, 3, 64}, {5, 1, 80}, {8, 1, 256}};
const std::vector<std::int64_t> kLengths = {0, 5, 63, 64, 129};  // keys before the new one
constexpr std::int64_t kCapacity = 140;

at::Tensor int32(const std::vector<std::int64_t>& values) { return at::tensor(values, at::kLong).to(at::kInt); }

/// Five sequences of different lengths, and what is known of their new tokens.
struct Case {
  Case(const Shape& shape, at::ScalarType dtype)
      : qkv(random({5, (shape.heads + 2 * shape.kv_heads) * shape.head_dim}, dtype, 1)),
        cache{random({5, shape.kv_heads, kCapacity, shape.head_dim}, dtype, 2),
              random({5, shape.kv_heads, kCapacity, shape.head_dim}, dtype, 3)},
        rows{int32({3, 5, 60, 61, 129}), int32(kLengths)} {
    const at::Tensor angle = random({130, shape.head_dim / 2}, at::kFloat, 7) * 3;
    table = {angle.cos(), angle.sin()};
    q = qkv.view({5, -1, shape.head_dim}).narrow(1, 0, shape.heads);
  }
  void to(at::Device device) {
    for (at::Tensor* t : {&qkv, &cache.keys, &cache.values, &rows.position, &rows.length, &table.cos, &table.sin}) {
      *t = t->to(device);
    }
    q = qkv.view({5, -1, q.size(2)}).narrow(1, 0, q.size(1));
  }
  at::Tensor qkv, q;
  LayerCache cache;
  DecodeRows rows;
  RopeTable table;
};

/// softmax(q k / sqrt(head_dim)) v written out in float64, [sequences, heads * head_dim].
at::Tensor expected_attention(const Case& c, double scale) {
  std::vector<at::Tensor> rows;
  for (std::int64_t i = 0; i < 5; ++i) {
    for (std::int64_t head = 0; head < c.q.size(1); ++head) {
      const std::int64_t kv = head / (c.q.size(1) / c.cache.keys.size(1)), seen = kLengths[static_cast<size_t>(i)] + 1;
      const at::Tensor keys = c.cache.keys[i][kv].narrow(0, 0, seen).to(at::kDouble);
      const at::Tensor values = c.cache.values[i][kv].narrow(0, 0, seen).to(at::kDouble);
      rows.push_back((keys.mv(c.q[i][head].to(at::kDouble)) * scale).softmax(0).matmul(values));
    }
  }
  return at::cat(rows).view({5, -1});
}

TEST(DecodeAttention, WeighsTheKeysUpToTheNewOne) {
  for (const Shape& shape : kShapes) {
    const Case c(shape, at::kFloat);
    EXPECT_LT(relative_error(decode_attention(c.q, c.cache, c.rows, 0.2), expected_attention(c, 0.2)), 2e-6);
  }
}

TEST(DecodeAttention, GivesASequenceTheSameBitsInAnyCompany) {
  const Case c(kShapes[0], at::kBFloat16);
  const at::Tensor all = decode_attention(c.q, c.cache, c.rows, 0.25);
  for (std::int64_t i = 0; i < 5; ++i) {
    const LayerCache own{c.cache.keys.narrow(0, i, 1), c.cache.values.narrow(0, i, 1)};
    const DecodeRows rows{c.rows.position.narrow(0, i, 1), c.rows.length.narrow(0, i, 1)};
    EXPECT_TRUE(at::equal(decode_attention(c.q.narrow(0, i, 1), own, rows, 0.25), all.narrow(0, i, 1)));
  }
}

TEST(RopeAppend, TurnsTheTokenByItsPositionAndKeepsItsKeyAndValue) {
  for (const at::ScalarType dtype : kDtypes) {
    const Shape shape = kShapes[0];
    Case c(shape, dtype);
    const at::Tensor before = c.qkv.clone().view({5, -1, shape.head_dim});
    const LayerCache old{c.cache.keys.clone(), c.cache.values.clone()};
    rope_append_(c.qkv, c.table, c.rows, c.cache);
    const at::Tensor turned = before.clone(), positions = c.rows.position.to(at::kLong);
    rope_(turned, {c.table.cos.index_select(0, positions), c.table.sin.index_select(0, positions)}, RopePairs::halves);
    EXPECT_TRUE(at::equal(c.q, turned.narrow(1, 0, shape.heads)));
    for (std::int64_t i = 0; i < 5; ++i) {
      const std::int64_t row = kLengths[static_cast<std::size_t>(i)];
      old.keys[i].select(1, row).copy_(turned[i].narrow(0, shape.heads, shape.kv_heads));
      old.values[i].select(1, row).copy_(before[i].narrow(0, shape.heads + shape.kv_heads, shape.kv_heads));
    }
    EXPECT_TRUE(at::equal(c.cache.keys, old.keys));
    EXPECT_TRUE(at::equal(c.cache.values, old.values));
  }
}

TEST(FewRowsLinear, MultipliesAndAdds) {
  const at::Tensor x = random({3, 24}, at::kFloat, 1), weight = random({7, 24}, at::kFloat, 2);
  const at::Tensor bias = random({7}, at::kFloat, 3), residual = random({3, 7}, at::kFloat, 4);
  const at::Tensor product = x.to(at::kDouble).matmul(weight.to(at::kDouble).t());
  EXPECT_LT(relative_error(few_rows_linear(x, weight), product), 1e-6);
  EXPECT_LT(relative_error(few_rows_linear(x, weight, bias, residual), product + bias + residual), 1e-6);
}

TEST(FewRowsLinear, GatesTheOtherHalfOfTheProduct) {
  const at::Tensor x = random({2, 24}, at::kFloat, 1), weight = random({14, 24}, at::kFloat, 2);
  const at::Tensor bias = random({14}, at::kFloat, 3);
  const at::Tensor both = x.to(at::kDouble).matmul(weight.to(at::kDouble).t()) + bias;
  const at::Tensor expected = at::silu(both.narrow(1, 0, 7)) * both.narrow(1, 7, 7);
  EXPECT_LT(relative_error(few_rows_silu_mul(x, weight, bias), expected), 1e-6);
  EXPECT_THROW(few_rows_silu_mul(x, weight.narrow(0, 0, 13)), Error);
}

TEST(Modulation, MakesScalesThatCountFromOneAndSoftGates) {
  const at::Tensor conditions = random({3, 24}, at::kFloat, 1), weight = random({32, 24}, at::kFloat, 2);
  const at::Tensor bias = random({32}, at::kFloat, 3);
  const at::Tensor product = (conditions.to(at::kDouble).matmul(weight.to(at::kDouble).t()) + bias).view({3, 4, 8});
  const at::Tensor got = modulation(conditions, weight, bias);
  for (const std::int64_t i : {0, 2}) {
    EXPECT_LT(relative_error(got.select(1, i), product.select(1, i) + 1), 1e-6);
    EXPECT_LT(relative_error(got.select(1, i + 1), product.select(1, i + 1).tanh()), 1e-6);
  }
  for (const std::int64_t i : {0, 1, 2}) {
    EXPECT_TRUE(at::equal(modulation(conditions.narrow(0, i, 1), weight, bias)[0], got[i]));
  }
  EXPECT_THROW(modulation(conditions, weight.narrow(0, 0, 30), bias), Error);
}

TEST(Modulation, KernelEqualsThePlainBodyOnAGpu) {
  TRIREME_NEEDS_GPU();
  for (const at::ScalarType dtype : kDtypes) {
    const at::Tensor conditions = random({4, 256}, dtype, 1), weight = random({4 * 96, 256}, dtype, 2) * 0.1;
    const at::Tensor bias = random({4 * 96}, dtype, 3);
    const at::Tensor on_gpu = weight.to(at::kCUDA), bias_on_gpu = bias.to(at::kCUDA);
    const at::Tensor got = modulation(conditions.to(at::kCUDA), on_gpu, bias_on_gpu);
    EXPECT_LT(relative_error(got, modulation(conditions, weight, bias)), tolerance(dtype));
    for (std::int64_t i = 0; i < conditions.size(0); ++i) {
      EXPECT_TRUE(at::equal(modulation(conditions.narrow(0, i, 1).to(at::kCUDA), on_gpu, bias_on_gpu)[0], got[i]));
    }
  }
}

TEST(DecodeKernels, RefuseACacheOfAnotherShape) {
  Case c(kShapes[0], at::kFloat);
  const LayerCache fewer{c.cache.keys.narrow(0, 0, 4), c.cache.values.narrow(0, 0, 4)};
  EXPECT_THROW(decode_attention(c.q, fewer, c.rows, 1), Error);
  EXPECT_THROW(rope_append_(c.qkv, c.table, c.rows, fewer), Error);
  EXPECT_THROW(few_rows_linear(c.qkv, at::ones({2, 3})), Error);
}

TEST(DecodeKernels, EqualThePlainBodyOnAGpu) {
  TRIREME_NEEDS_GPU();
  for (const at::ScalarType dtype : kDtypes) {
    for (const Shape& shape : kShapes) {
      Case plain(shape, dtype), gpu(shape, dtype);
      gpu.to(at::kCUDA);
      for (Case* c : {&plain, &gpu}) rope_append_(c->qkv, c->table, c->rows, c->cache);
      EXPECT_LT(relative_error(gpu.q, plain.q), tolerance(dtype)) << shape.head_dim;  // k is turned in the cache alone
      EXPECT_LT(relative_error(gpu.cache.keys, plain.cache.keys), tolerance(dtype)) << shape.head_dim;
      EXPECT_TRUE(at::equal(gpu.cache.values.cpu(), plain.cache.values)) << shape.head_dim;
      const at::Tensor expected = decode_attention(plain.q, plain.cache, plain.rows, 0.2);
      const at::Tensor got = decode_attention(gpu.q, gpu.cache, gpu.rows, 0.2);
      EXPECT_LT(relative_error(got, expected), tolerance(dtype)) << shape.head_dim;
      EXPECT_TRUE(at::equal(got, decode_attention(gpu.q, gpu.cache, gpu.rows, 0.2)));
    }
  }
}

TEST(FewRowsLinear, KernelEqualsThePlainBodyOnAGpu) {
  TRIREME_NEEDS_GPU();
  for (const at::ScalarType dtype : kDtypes) {
    for (const std::int64_t rows : {1, 2, 3, 4, 5}) {
      for (const auto& [in, out] : {std::pair<std::int64_t, std::int64_t>{8, 1}, {264, 7}, {264, 6}, {3584, 514}}) {
        const at::Tensor x = random({rows, in}, dtype, 1), weight = random({out, in}, dtype, 2);
        const at::Tensor bias = random({out}, dtype, 3), residual = random({rows, out}, dtype, 4);
        const at::Tensor expected = few_rows_linear(x, weight, bias, residual);
        const at::Tensor got =
            few_rows_linear(x.to(at::kCUDA), weight.to(at::kCUDA), bias.to(at::kCUDA), residual.to(at::kCUDA));
        EXPECT_LT(relative_error(got, expected), tolerance(dtype)) << rows << " " << in << " " << out;
        EXPECT_LT(relative_error(few_rows_linear(x.to(at::kCUDA), weight.to(at::kCUDA)), few_rows_linear(x, weight)),
                  tolerance(dtype));
        if (out % 2 != 0) continue;
        EXPECT_LT(relative_error(few_rows_silu_mul(x.to(at::kCUDA), weight.to(at::kCUDA), bias.to(at::kCUDA)),
                                 few_rows_silu_mul(x, weight, bias)),
                  tolerance(dtype));
      }
    }
  }
}

}  // namespace
}  // namespace trireme
