#pragma once
// Tokens back to text.

#include <memory>
#include <string>
#include <vector>

#include "common/json.h"

namespace trireme {

class TokenDecoder {
 public:
  virtual ~TokenDecoder() = default;
  /// Parts of the text, which are joined in the end. Well-formed UTF-8, whatever the tokens are.
  virtual std::vector<std::string> decode(std::vector<std::string> tokens) const = 0;
};

/// Throws Error(bad_data) for a kind that is not in the list.
std::unique_ptr<TokenDecoder> make_decoder(const JsonObject& json);

}  // namespace trireme
