#pragma once
// Golden cases of Qwen2.5-VL as items of the program, for the tests of its parts and of the whole.

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "worker/models/model.h"
#include "worker/weights/model_files.h"

namespace trireme::test {

/// One of the two checkpoints with what transformers made of it.
struct QwenGolden {
  explicit QwenGolden(std::string checkpoint);
  const nlohmann::json& answer(const std::string& case_name) const;

  std::string name;
  std::filesystem::path folder;
  nlohmann::json cases;
  std::map<std::string, at::Tensor> tensors;
  ModelFiles files;
};

/// [H, W, 3] uint8, as tests/golden/qwen2_5_vl.py draws it.
at::Tensor golden_picture(std::int64_t height, std::int64_t width, std::uint64_t seed);
std::vector<ChatMessage> messages_of(const nlohmann::json& messages);
/// Greedy, with the case's repetition penalty; pictures as PNG files.
Item text_item(const nlohmann::json& answer);

/// `end_tokens`: instead of those of generation_config.json, if any.
std::unique_ptr<Model> load_qwen(const QwenGolden& golden, at::ScalarType dtype, bool dummy,
                                 const std::vector<std::int64_t>& end_tokens = {}, const Stage& stage = {});
/// The six verbs in their order; all results complete. `passes`: how many ran.
std::vector<Result> write_all(Model& model, const std::vector<Item>& items, int* passes = nullptr);

}  // namespace trireme::test
