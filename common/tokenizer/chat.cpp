#include "common/tokenizer/chat.h"

namespace trireme {

std::string z_image_prompt(std::string_view prompt) {
  return "<|im_start|>user\n" + std::string(prompt) + "<|im_end|>\n<|im_start|>assistant\n";
}

}  // namespace trireme
