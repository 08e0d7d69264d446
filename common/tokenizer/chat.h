#pragma once
// Prompts as the text encoders were trained to see them.

#include <string>
#include <string_view>

namespace trireme {

/// One user turn and the start of the answer, without system turn or think block. Special-token strings inside the
/// prompt act as special tokens. Ref: diffusers pipeline_z_image.py, Qwen3's chat template with enable_thinking.
std::string z_image_prompt(std::string_view prompt);

}  // namespace trireme
