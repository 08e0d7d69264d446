#pragma once
// What the post-processor of tokenizer.json puts around a text: BOS, EOS and the like. Kinds that concern offsets alone
// put nothing there.

#include <vector>

#include "common/json.h"

namespace trireme {

struct TokenTemplate {
  std::vector<int> before, after;
};

/// Throws Error(bad_data) for a kind that is not known.
TokenTemplate read_template(const JsonObject& json);

}  // namespace trireme
