#include "worker/models/qwen2_5_vl/prompt.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "common/errors.h"
#include "common/tokenizer/chat.h"

namespace trireme::qwen2_5_vl {
namespace {

class PromptBuilder {
 public:
  void add_text(std::int64_t id) {
    prompt_.ids.push_back(id);
    for (auto& axis : prompt_.positions) axis.push_back(prompt_.next_position);
    ++prompt_.next_position;
  }

  void add_picture(std::int64_t id, const TokenGrid& grid) {
    const std::int64_t first = prompt_.next_position;
    prompt_.image_rows.push_back(static_cast<std::int64_t>(prompt_.ids.size()));
    prompt_.ids.insert(prompt_.ids.end(), static_cast<std::size_t>(grid.tokens()), id);
    for (std::int64_t row = 0; row < grid.rows; ++row) {
      for (std::int64_t column = 0; column < grid.columns; ++column) {
        prompt_.positions[0].push_back(first);
        prompt_.positions[1].push_back(first + row);
        prompt_.positions[2].push_back(first + column);
      }
    }
    prompt_.next_position += std::max(grid.rows, grid.columns);
  }

  Prompt take() { return std::move(prompt_); }

 private:
  Prompt prompt_;
};

}  // namespace

Prompt make_prompt(const std::vector<ChatMessage>& messages, const std::vector<TokenGrid>& grids,
                   const Tokenizer& tokenizer, const Config& config) {
  const std::vector<int> ids = tokenizer.encode(qwen2_5_vl_prompt(messages));
  const auto placeholders = static_cast<std::size_t>(std::count(ids.begin(), ids.end(), config.image_token));
  if (placeholders != grids.size()) {
    throw ItemError("the prompt has " + std::to_string(placeholders) + " placeholders <|image_pad|> for " +
                    std::to_string(grids.size()) +
                    " pictures; leave them out of the text: each picture brings its own");
  }
  if (std::count(ids.begin(), ids.end(), config.video_token) > 0) {
    throw ItemError("the prompt has a placeholder <|video_pad|>; videos are not supported");
  }
  PromptBuilder builder;
  std::size_t picture = 0;
  for (const int id : ids) {
    if (id == config.image_token) {
      builder.add_picture(id, grids[picture++]);
    } else {
      builder.add_text(id);
    }
  }
  return builder.take();
}

nn::RopeTable prompt_rope(const Prompt& prompt, const Config& config) {
  std::array<nn::RopeTable, 3> axes;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const auto& positions = prompt.positions[axis];
    const at::Tensor list = at::empty({static_cast<std::int64_t>(positions.size())}, at::kLong);
    std::copy(positions.begin(), positions.end(), list.data_ptr<std::int64_t>());
    axes[axis] = nn::rope_table(list, config.text.head_dim, config.text.rope);
  }
  std::vector<at::Tensor> cos, sin;
  std::int64_t first = 0;
  for (std::size_t section = 0; section < config.mrope_section.size(); ++section) {
    const std::int64_t width = config.mrope_section[section];
    cos.push_back(axes[section % 3].cos.narrow(1, first, width));
    sin.push_back(axes[section % 3].sin.narrow(1, first, width));
    first += width;
  }
  return {at::cat(cos, 1), at::cat(sin, 1)};
}

}  // namespace trireme::qwen2_5_vl
