#pragma once
// Tokens back to text.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/json.h"

namespace trireme {

class TokenDecoder {
 public:
  virtual ~TokenDecoder() = default;
  /// Well-formed UTF-8, whatever the tokens are.
  virtual std::string decode(const std::vector<std::string_view>& tokens) const = 0;
};

/// Throws Error(bad_data) for a kind that is not in the list.
std::unique_ptr<TokenDecoder> make_decoder(const JsonObject& json);

}  // namespace trireme
