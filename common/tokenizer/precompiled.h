#pragma once
// SentencePiece's table of replaced characters, as tokenizer.json carries it: base64 of a double array trie over the
// characters and of what replaces them. Ref: tokenizers normalizers/precompiled.rs and the crate spm_precompiled.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/tokenizer/normalizer.h"

namespace trireme {

class Precompiled : public Normalizer {
 public:
  /// Throws Error(bad_data) when the table is damaged.
  explicit Precompiled(const JsonObject& json);

  std::string normalize(std::string_view text) const override;

 private:
  std::optional<std::string_view> replacement(std::string_view characters) const;

  std::vector<std::uint32_t> trie_;
  std::string replacements_;  // each ends in NUL
};

}  // namespace trireme
