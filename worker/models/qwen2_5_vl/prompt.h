#pragma once
// The text side of an item before the decoder: token ids with the placeholders of pictures spread out, and the position
// of every token on three axes (time, row, column). Plain arithmetic on the host.
// Ref: transformers processing_qwen2_5_vl.py, modeling_qwen2_5_vl.py get_rope_index.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "common/item.h"
#include "common/tokenizer/tokenizer.h"
#include "worker/models/qwen2_5_vl/config.h"
#include "worker/nn/rope.h"

namespace trireme::qwen2_5_vl {

/// A picture as the text sees it: rows and columns of tokens.
struct TokenGrid {
  std::int64_t rows = 0, columns = 0;
  std::int64_t tokens() const { return rows * columns; }
};

struct Prompt {
  std::vector<std::int64_t> ids;
  std::array<std::vector<std::int64_t>, 3> positions;  // time, row, column
  std::int64_t next_position = 0;                      // of the first new token, on all axes
  std::vector<std::int64_t> image_rows;                // where the tokens of each picture begin, in the text's order
};

/// `grids`: of the pictures in the order in which the messages show them. Throws ItemError when the placeholders in the
/// text (special-token strings that a user wrote count) are not as many as the pictures, and for videos.
Prompt make_prompt(const std::vector<ChatMessage>& messages, const std::vector<TokenGrid>& grids,
                   const Tokenizer& tokenizer, const Config& config);

/// Angles of the prompt's tokens, [tokens, head_dim / 2] on the host: each section of a head takes its axis.
nn::RopeTable prompt_rope(const Prompt& prompt, const Config& config);

}  // namespace trireme::qwen2_5_vl
