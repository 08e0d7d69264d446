#include "common/tokenizer/pre_tokenizer.h"

#include <array>

#include "common/errors.h"
#include "common/tokenizer/byte_level.h"
#include "common/tokenizer/kind.h"
#include "common/tokenizer/regex.h"

namespace trireme {
namespace {

constexpr const char* kGpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// Matches and what lies between them become pieces. A piece is searched as if the rest of the text were not there.
Pieces split(Pieces pieces, const Regex& regex) {
  std::vector<std::size_t> ends;
  std::size_t begin = 0;
  pieces.for_each([&](std::string_view piece) {
    std::size_t last = 0;
    const auto end_at = [&](std::size_t at) {
      if (at > last) ends.push_back(begin + at);
      last = at;
    };
    for (const Regex::Match& match : regex.find_all(piece)) {
      end_at(match.begin);
      end_at(match.end);
    }
    end_at(piece.size());
    begin += piece.size();
  });
  pieces.ends = std::move(ends);
  return pieces;
}

class Split : public PreTokenizer {
 public:
  explicit Split(const JsonObject& json)
      : regex_(json.get_object("pattern").get_string("Regex"), json.place() + ": pattern") {
    json.refuse_unknown({"type", "pattern", "behavior", "invert"});
    if (json.get_string("behavior") != "Isolated") json.fail("behavior", "only Isolated is supported");
    if (json.get_bool("invert")) json.fail("invert", "true is not supported");
  }
  Pieces cut(Pieces pieces) const override { return split(std::move(pieces), regex_); }

 private:
  Regex regex_;
};

/// Bytes become printable characters; before that the text may be cut by GPT-2's pattern.
class ByteLevel : public PreTokenizer {
 public:
  explicit ByteLevel(const JsonObject& json) : add_prefix_space_(json.get_bool("add_prefix_space")) {
    json.refuse_unknown({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    if (json.get_bool_or("use_regex", true)) regex_ = std::make_unique<Regex>(kGpt2Pattern, json.place());
  }

  Pieces cut(Pieces pieces) const override {
    if (add_prefix_space_) pieces = with_prefix_spaces(pieces);
    if (regex_) pieces = split(std::move(pieces), *regex_);
    Pieces result;
    result.text.reserve(2 * pieces.text.size());
    result.ends.reserve(pieces.ends.size());
    pieces.for_each([&](std::string_view piece) {
      append_byte_characters(result.text, piece);
      result.ends.push_back(result.text.size());
    });
    return result;
  }

 private:
  static Pieces with_prefix_spaces(const Pieces& pieces) {
    Pieces result;
    pieces.for_each([&](std::string_view piece) {
      if (!piece.starts_with(' ')) result.text += ' ';
      result.text += piece;
      result.ends.push_back(result.text.size());
    });
    return result;
  }

  bool add_prefix_space_;
  std::unique_ptr<Regex> regex_;
};

class Sequence : public PreTokenizer {
 public:
  explicit Sequence(const JsonObject& json) {
    json.refuse_unknown({"type", "pretokenizers"});
    const nlohmann::json& list = json.at("pretokenizers");
    if (!list.is_array()) json.fail("pretokenizers", "not a list");
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string place = json.place() + ": pretokenizers[" + std::to_string(i) + "]";
      parts_.push_back(make_pre_tokenizer(JsonObject(list[i], place)));
    }
  }
  Pieces cut(Pieces pieces) const override {
    for (const auto& part : parts_) pieces = part->cut(std::move(pieces));
    return pieces;
  }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> parts_;
};

template <class Part>
std::unique_ptr<PreTokenizer> make(const JsonObject& json) {
  return std::make_unique<Part>(json);
}

constexpr std::array kKinds{
    Kind<PreTokenizer>{"Sequence", make<Sequence>},
    Kind<PreTokenizer>{"Split", make<Split>},
    Kind<PreTokenizer>{"ByteLevel", make<ByteLevel>},
};

}  // namespace

std::unique_ptr<PreTokenizer> make_pre_tokenizer(const JsonObject& json) { return make_part(kKinds, json); }

}  // namespace trireme
