#include "common/tokenizer/subword_model.h"

#include <array>
#include <cstdio>

#include "common/tokenizer/bpe.h"
#include "common/tokenizer/kind.h"
#include "common/tokenizer/unigram.h"

namespace trireme {
namespace {

template <class Part>
std::unique_ptr<SubwordModel> make(const JsonObject& json) {
  return std::make_unique<Part>(json);
}

constexpr std::array kKinds{
    Kind<SubwordModel>{"BPE", make<BytePairModel>},
    Kind<SubwordModel>{"Unigram", make<UnigramModel>},
};

}  // namespace

ByteTokens find_byte_tokens(const SubwordModel& model, const JsonObject& json) {
  ByteTokens tokens{};
  for (unsigned byte = 0; byte < tokens.size(); ++byte) {
    std::array<char, 8> name{};
    std::snprintf(name.data(), name.size(), "<0x%02X>", byte);
    const std::optional<int> id = model.id(name.data());
    if (!id) json.fail("byte_fallback", std::string("wants all 256 byte tokens, ") + name.data() + " is missing");
    tokens[byte] = *id;
  }
  return tokens;
}

std::unique_ptr<SubwordModel> make_subword_model(const JsonObject& json) { return make_part(kKinds, json); }

}  // namespace trireme
