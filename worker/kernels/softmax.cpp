#include "worker/kernels/softmax.h"

#include <ATen/ATen.h>

#include "worker/kernels/call.h"

namespace trireme::kernels {

at::Tensor scaled_softmax(const at::Tensor& scores, double scale, at::ScalarType dtype) {
  require(scores.dim() == 2 && scores.scalar_type() == at::kFloat && scores.is_contiguous() && scale > 0,
          "scaled_softmax wants scores [rows, columns] float32 and a scale above 0");
  require(dtype == at::kFloat || dtype == at::kBFloat16, "scaled_softmax makes float32 or bfloat16");
  const bool fits = scores.is_cuda() && scores.numel() > 0 && scores.size(1) % 8 == 0 &&
                    scores.size(1) <= kLargestSoftmaxRow && aligned({scores});
  if (!fits) return at::softmax(scores * scale, 1).to(dtype);
  const at::Tensor out = at::empty(scores.sizes(), scores.options().dtype(dtype));
  const SoftmaxLaunch args{scores.data_ptr<float>(), out.data_ptr(), scores.size(0), static_cast<int>(scores.size(1)),
                           static_cast<float>(scale)};
  enqueue(scores, "scaled_softmax", [&](cudaStream_t stream) { return launch_softmax(element(out), args, stream); });
  return out;
}

}  // namespace trireme::kernels
