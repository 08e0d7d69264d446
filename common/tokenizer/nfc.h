#pragma once
// Unicode's composed form, by the tables of the reference. Ref: tokenizers normalizers/unicode.rs NFC.

#include "common/tokenizer/normalizer.h"

namespace trireme {

class Nfc : public Normalizer {
 public:
  explicit Nfc(const JsonObject& json) { json.refuse_unknown({"type"}); }
  std::string normalize(std::string_view text) const override;
};

}  // namespace trireme
