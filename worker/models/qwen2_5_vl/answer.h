#pragma once
// What becomes of the tokens of a row: the answer's ids and text, and the tensors a user may ask for.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "common/tokenizer/tokenizer.h"
#include "worker/models/model.h"
#include "worker/models/qwen2_5_vl/session.h"
#include "worker/vision/patches.h"

namespace trireme::qwen2_5_vl {

/// A copy on the host, pinned, in stream order: to be read once the device is done with the unit.
at::Tensor download(const at::Tensor& tensor);

/// Fills in the answer of one row: Result::complete.
struct AnswerReader {
  at::Tensor written;  // [passes, rows] int64 on the host
  std::int64_t row = 0;
  std::int64_t most = 0;  // tokens of this row
  std::int64_t prompt_tokens = 0;
  std::vector<std::int64_t> end_tokens;
  std::shared_ptr<const Tokenizer> tokenizer;
  at::Device device = at::kCPU;
  bool wants_tensor = false;

  void operator()(Result& result) const;
};

/// input_ids, logits_first and, with pictures, pixel_values and image_grid_thw. Drops what the row keeps of them.
void add_tensors(Result& result, Row& row, const PatchConfig& patches, at::Device device);

}  // namespace trireme::qwen2_5_vl
