#include "common/tokenizer/decoder.h"

#include <array>
#include <charconv>
#include <optional>

#include "common/tokenizer/byte_level.h"
#include "common/tokenizer/kind.h"
#include "common/tokenizer/pattern.h"
#include "common/utf8.h"

namespace trireme {
namespace {

using Tokens = std::vector<std::string>;

class ByteLevelDecoder : public TokenDecoder {
 public:
  explicit ByteLevelDecoder(const JsonObject& json) {
    json.refuse_unknown({"type", "add_prefix_space", "trim_offsets", "use_regex"});
  }
  Tokens decode(Tokens tokens) const override {
    std::string bytes;
    for (const std::string& token : tokens) append_token_bytes(bytes, token);
    return {replace_invalid_utf8(bytes)};
  }
};

class ReplaceDecoder : public TokenDecoder {
 public:
  explicit ReplaceDecoder(const JsonObject& json)
      : pattern_(json.get_object("pattern")), content_(json.get_string("content")) {
    json.refuse_unknown({"type", "pattern", "content"});
  }
  Tokens decode(Tokens tokens) const override {
    for (std::string& token : tokens) token = pattern_.replace_all(token, content_);
    return tokens;
  }

 private:
  Pattern pattern_;
  std::string content_;
};

/// <0x41> in a row become their bytes, or as many U+FFFD when these are no UTF-8.
class ByteFallback : public TokenDecoder {
 public:
  explicit ByteFallback(const JsonObject& json) { json.refuse_unknown({"type"}); }
  Tokens decode(Tokens tokens) const override {
    Tokens result;
    std::string bytes;
    const auto end_bytes = [&] {
      if (find_invalid_utf8(bytes)) {
        result.insert(result.end(), bytes.size(), "\uFFFD");
      } else if (!bytes.empty()) {
        result.push_back(bytes);
      }
      bytes.clear();
    };
    for (std::string& token : tokens) {
      if (const std::optional<char> byte = byte_of(token)) {
        bytes += *byte;
        continue;
      }
      end_bytes();
      result.push_back(std::move(token));
    }
    end_bytes();
    return result;
  }

 private:
  static std::optional<char> byte_of(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || !token.ends_with('>')) return std::nullopt;
    unsigned value = 0;
    const auto [end, error] = std::from_chars(token.data() + 3, token.data() + 5, value, 16);
    if (error != std::errc() || end != token.data() + 5) return std::nullopt;
    return static_cast<char>(value);
  }
};

class Fuse : public TokenDecoder {
 public:
  explicit Fuse(const JsonObject& json) { json.refuse_unknown({"type"}); }
  Tokens decode(Tokens tokens) const override {
    std::string whole;
    for (const std::string& token : tokens) whole += token;
    return {whole};
  }
};

/// SentencePiece's visible blank becomes a blank, and goes from the first token where the encoder puts it in front.
class MetaspaceDecoder : public TokenDecoder {
 public:
  explicit MetaspaceDecoder(const JsonObject& json)
      : mark_(json.get_string("replacement")),
        strip_first_(json.get_string_or("prepend_scheme",
                                        json.get_bool_or("add_prefix_space", true) ? "always" : "never") != "never") {
    json.refuse_unknown({"type", "replacement", "prepend_scheme", "add_prefix_space", "split", "str_rep"});
    if (json.get_string("replacement").empty()) json.fail("replacement", "empty");
  }
  Tokens decode(Tokens tokens) const override {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = mark_.replace_all(tokens[i], i == 0 && strip_first_ ? "" : " ");
    }
    return tokens;
  }

 private:
  Pattern mark_;
  bool strip_first_;
};

/// Takes a character away from the ends of every token.
class StripDecoder : public TokenDecoder {
 public:
  explicit StripDecoder(const JsonObject& json)
      : content_(json.get_string("content")),
        start_(static_cast<int>(json.get_int("start", 0, 1000))),
        stop_(static_cast<int>(json.get_int("stop", 0, 1000))) {
    json.refuse_unknown({"type", "content", "start", "stop"});
    if (content_.empty()) json.fail("content", "empty");
  }
  Tokens decode(Tokens tokens) const override {
    for (std::string& token : tokens) {
      std::string_view rest = token;
      for (int i = 0; i < start_ && rest.starts_with(content_); ++i) rest.remove_prefix(content_.size());
      for (int i = 0; i < stop_ && rest.ends_with(content_); ++i) rest.remove_suffix(content_.size());
      token = std::string(rest);
    }
    return tokens;
  }

 private:
  std::string content_;
  int start_, stop_;
};

class Sequence : public TokenDecoder {
 public:
  explicit Sequence(const JsonObject& json) {
    json.refuse_unknown({"type", "decoders"});
    const nlohmann::json& list = json.at("decoders");
    if (!list.is_array()) json.fail("decoders", "not a list");
    for (std::size_t i = 0; i < list.size(); ++i) {
      parts_.push_back(make_decoder(JsonObject(list[i], json.place() + ": decoders[" + std::to_string(i) + "]")));
    }
  }
  Tokens decode(Tokens tokens) const override {
    for (const auto& part : parts_) tokens = part->decode(std::move(tokens));
    return tokens;
  }

 private:
  std::vector<std::unique_ptr<TokenDecoder>> parts_;
};

template <class Part>
std::unique_ptr<TokenDecoder> make(const JsonObject& json) {
  return std::make_unique<Part>(json);
}

constexpr std::array kKinds{
    Kind<TokenDecoder>{"Sequence", make<Sequence>},
    Kind<TokenDecoder>{"ByteLevel", make<ByteLevelDecoder>},
    Kind<TokenDecoder>{"Replace", make<ReplaceDecoder>},
    Kind<TokenDecoder>{"ByteFallback", make<ByteFallback>},
    Kind<TokenDecoder>{"Fuse", make<Fuse>},
    Kind<TokenDecoder>{"Strip", make<StripDecoder>},
    Kind<TokenDecoder>{"Metaspace", make<MetaspaceDecoder>},
};

}  // namespace

std::unique_ptr<TokenDecoder> make_decoder(const JsonObject& json) { return make_part(kKinds, json); }

}  // namespace trireme
