#include "worker/models/qwen2_5_vl/answer.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "worker/device.h"
#include "worker/nn/upload.h"

namespace trireme::qwen2_5_vl {
namespace {

at::Tensor host_list(const std::vector<std::int64_t>& values) {
  const at::Tensor list = at::empty({static_cast<std::int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), list.data_ptr<std::int64_t>());
  return list;
}

}  // namespace

at::Tensor download(const at::Tensor& tensor) {
  const at::Tensor host = device::host_buffer(tensor.nbytes(), tensor.device()).view(tensor.scalar_type());
  return host.view(tensor.sizes()).copy_(tensor, /*non_blocking=*/true);
}

void AnswerReader::operator()(Result& result) const {
  TextResult text;
  text.prompt_tokens = prompt_tokens;
  text.finish_reason = FinishReason::length;
  const std::int64_t passes = std::min(written.size(0), most);
  for (std::int64_t pass = 0; pass < passes && text.finish_reason == FinishReason::length; ++pass) {
    const std::int64_t token = written.data_ptr<std::int64_t>()[pass * written.size(1) + row];
    text.token_ids.push_back(token);
    if (std::find(end_tokens.begin(), end_tokens.end(), token) != end_tokens.end()) {
      text.finish_reason = FinishReason::stop;
    }
  }
  const std::vector<int> ids(text.token_ids.begin(), text.token_ids.end());
  text.text = tokenizer->decode(ids, /*skip_special=*/true);
  if (wants_tensor) result.tensors["token_ids"] = nn::upload(host_list(text.token_ids), device);
  result.text = std::move(text);
}

void add_tensors(Result& result, Row& row, const PatchConfig& patches, at::Device device) {
  result.tensors["input_ids"] = nn::upload(host_list(row.prompt.ids), device);
  result.tensors["logits_first"] = row.first_logits.squeeze(0).contiguous();
  row.first_logits.reset();
  if (row.pictures.empty()) return;
  std::vector<at::Tensor> pixels;
  std::vector<std::int64_t> grids;
  for (Picture& picture : row.pictures) {
    pixels.push_back(picture.pixel_values);
    grids.insert(grids.end(), {1, picture.grid.rows * patches.merge, picture.grid.columns * patches.merge});
    picture.pixel_values.reset();
  }
  result.tensors["pixel_values"] = at::cat(pixels);
  result.tensors["image_grid_thw"] = nn::upload(host_list(grids).view({-1, 3}), device);
}

}  // namespace trireme::qwen2_5_vl
