#include "common/tokenizer/decoder.h"

#include <array>

#include "common/tokenizer/byte_level.h"
#include "common/tokenizer/kind.h"
#include "common/utf8.h"

namespace trireme {
namespace {

class ByteLevelDecoder : public TokenDecoder {
 public:
  std::string decode(const std::vector<std::string_view>& tokens) const override {
    std::string bytes;
    for (const std::string_view token : tokens) append_token_bytes(bytes, token);
    return replace_invalid_utf8(bytes);
  }
};

constexpr std::array kKinds{
    Kind<TokenDecoder>{"ByteLevel",
                       [](const JsonObject& json) -> std::unique_ptr<TokenDecoder> {
                         json.refuse_unknown({"type", "add_prefix_space", "trim_offsets", "use_regex"});
                         return std::make_unique<ByteLevelDecoder>();
                       }},
};

}  // namespace

std::unique_ptr<TokenDecoder> make_decoder(const JsonObject& json) { return make_part(kKinds, json); }

}  // namespace trireme
