#pragma once
// What a line of the prompts file says to a model that writes text, as messages:
//
//   prompt, images, system   system as a system message, then a user message: the pictures in order, then the prompt
//   messages                 [{"role", "content"}], taken as they are; content a string, or a list of
//                            {"type": "text", "text"} and {"type": "image", "image": path}
//
// Rank 0. Mistakes of form are Error(bad_data) at the line; what only this item suffers from is its `error`.

#include <string>
#include <string_view>
#include <vector>

#include "common/image_files.h"
#include "common/item.h"
#include "common/json.h"

namespace trireme {

inline const std::vector<std::string_view> kConversationKeys = {"prompt", "images", "system", "messages"};

/// Fills prompt, messages, images and error. `item.system_prompt` is what `system` is without the key; "" for none.
void read_conversation(const JsonObject& line, ImageRoot& root, Item& item);
/// The same for a line that is nothing but a prompt.
void plain_conversation(std::string_view prompt, Item& item);

}  // namespace trireme
