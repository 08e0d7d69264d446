#pragma once
// Pieces to token ids by a vocabulary.

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/json.h"
#include "common/tokenizer/pre_tokenizer.h"

namespace trireme {

class SubwordModel {
 public:
  virtual ~SubwordModel() = default;
  /// Appends the ids of every piece in order.
  virtual void encode(const Pieces& pieces, std::vector<int>& ids) const = 0;
  virtual std::optional<int> id(std::string_view token) const = 0;
  virtual const std::string* token(int id) const = 0;  // nullptr when no token has the id
  virtual std::size_t size() const = 0;
};

/// Tokens that stand for single bytes, by byte: <0x00> to <0xFF>. All must be there, else Error(bad_data).
using ByteTokens = std::array<int, 256>;
ByteTokens find_byte_tokens(const SubwordModel& model, const JsonObject& json);

/// Throws Error(bad_data) for a kind, or an option of one, that is not supported.
std::unique_ptr<SubwordModel> make_subword_model(const JsonObject& json);

}  // namespace trireme
