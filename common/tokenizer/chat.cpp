#include "common/tokenizer/chat.h"

namespace trireme {

std::string z_image_prompt(std::string_view prompt) {
  return "<|im_start|>user\n" + std::string(prompt) + "<|im_end|>\n<|im_start|>assistant\n";
}

std::string qwen2_5_vl_prompt(const std::vector<ChatMessage>& messages) {
  std::string prompt;
  if (messages.empty() || messages.front().role != "system") {
    prompt = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n";
  }
  for (const ChatMessage& message : messages) {
    prompt += "<|im_start|>" + message.role + "\n";
    for (const ContentPart& part : message.content) {
      const bool picture = part.kind == ContentPart::Kind::image;
      prompt += picture ? "<|vision_start|><|image_pad|><|vision_end|>" : part.text;
    }
    prompt += "<|im_end|>\n";
  }
  return prompt + "<|im_start|>assistant\n";
}

}  // namespace trireme
