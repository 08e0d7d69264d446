#pragma once
// Prompts as the text encoders were trained to see them.

#include <string>
#include <string_view>
#include <vector>

#include "common/item.h"

namespace trireme {

/// One user turn and the start of the answer, without system turn or think block. Special-token strings inside the
/// prompt act as special tokens. Ref: diffusers pipeline_z_image.py, Qwen3's chat template with enable_thinking.
std::string z_image_prompt(std::string_view prompt);

/// The messages as turns and the start of the answer; a system turn is put first where there is none. A picture is its
/// placeholder between marks. Special-token strings act as special tokens. Ref: Qwen2.5-VL's chat_template.json.
std::string qwen2_5_vl_prompt(const std::vector<ChatMessage>& messages);

}  // namespace trireme
