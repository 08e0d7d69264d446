#pragma once
// Looks at the tags of prompts for models that are trained on them, and says what a person may have mistyped. It never
// changes a prompt: the encoders see what was written. Rank 0 and the launcher.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/item.h"

namespace trireme {

/// What is wrong with the tags, in order of place: "<n> is not closed, 1:14" (line and column). A text without tags, or
/// with all of them closed in order, gives nothing. Comments and anything else between < and > that can't be a tag
/// ("<3", "<lora:miku>", "a < b") count as text.
std::vector<std::string> lint_tags(std::string_view prompt);

struct TagWarning {
  std::string id;   // of the first item with this prompt
  const char* key;  // "prompt" or "negative_prompt"
  std::string fact;
};
/// Of all items; neighbours that share a prompt (images_per_prompt) are told of once.
std::vector<TagWarning> lint_items(std::span<const Item> items);

}  // namespace trireme
