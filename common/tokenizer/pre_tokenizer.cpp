#include "common/tokenizer/pre_tokenizer.h"

#include <array>

#include "common/errors.h"
#include "common/tokenizer/byte_level.h"
#include "common/tokenizer/kind.h"
#include "common/tokenizer/pattern.h"
#include "common/tokenizer/white_space.h"
#include "common/utf8.h"

namespace trireme {
namespace {

constexpr const char* kGpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

enum class Join { none, previous, next };  // what a match is joined to

/// Matches and what lies between them become pieces; of matches in a row, one is joined. A piece is searched as if the
/// rest of the text were not there.
template <class Searched>
Pieces split(Pieces pieces, const Searched& pattern, Join join) {
  std::vector<std::size_t> ends;
  std::size_t begin = 0;
  pieces.for_each([&](std::string_view piece) {
    std::size_t last = 0;
    const auto end_at = [&](std::size_t at) {
      if (at > last) ends.push_back(begin + at);
      last = at;
    };
    const std::vector<Regex::Match> matches = pattern.find_all(piece);
    for (std::size_t i = 0; i < matches.size(); ++i) {
      const Regex::Match& match = matches[i];
      const bool text_before = match.begin > last;
      const bool text_behind =
          match.end < piece.size() && (i + 1 == matches.size() || matches[i + 1].begin > match.end);
      if (!(join == Join::previous && text_before)) end_at(match.begin);
      if (!(join == Join::next && text_behind)) end_at(match.end);
    }
    end_at(piece.size());
    begin += piece.size();
  });
  pieces.ends = std::move(ends);
  return pieces;
}

/// Cuts by a pattern. A match is a piece of its own, or the end of the piece before it.
class Split : public PreTokenizer {
 public:
  explicit Split(const JsonObject& json) : pattern_(json.get_object("pattern")) {
    json.refuse_unknown({"type", "pattern", "behavior", "invert"});
    const std::string behavior = json.get_string("behavior");
    if (behavior != "Isolated" && behavior != "MergedWithPrevious") {
      json.fail("behavior", "only Isolated and MergedWithPrevious are supported");
    }
    merged_with_previous_ = behavior == "MergedWithPrevious";
    if (json.get_bool("invert")) json.fail("invert", "true is not supported");
  }
  Pieces cut(Pieces pieces) const override {
    return split(std::move(pieces), pattern_, merged_with_previous_ ? Join::previous : Join::none);
  }

 private:
  Pattern pattern_;
  bool merged_with_previous_;
};

/// Cuts at white space, which is lost.
class WhitespaceSplit : public PreTokenizer {
 public:
  explicit WhitespaceSplit(const JsonObject& json) { json.refuse_unknown({"type"}); }
  Pieces cut(Pieces pieces) const override {
    Pieces result;
    const auto end_piece = [&result] {
      const std::size_t before = result.ends.empty() ? 0 : result.ends.back();
      if (result.text.size() > before) result.ends.push_back(result.text.size());
    };
    pieces.for_each([&](std::string_view piece) {
      for (std::size_t at = 0; at < piece.size();) {
        const std::size_t begin = at;
        if (is_white_space(next_code_point(piece, at))) {
          end_piece();
        } else {
          result.text += piece.substr(begin, at - begin);
        }
      }
      end_piece();
    });
    return result;
  }
};

/// SentencePiece's way: a blank is a visible character at the start of the word behind it.
class Metaspace : public PreTokenizer {
 public:
  explicit Metaspace(const JsonObject& json)
      : mark_(json.get_string("replacement")), split_(json.get_bool_or("split", true)) {
    json.refuse_unknown({"type", "replacement", "prepend_scheme", "add_prefix_space", "split", "str_rep"});
    if (mark_.empty()) json.fail("replacement", "empty");
    const std::string old = json.get_bool_or("add_prefix_space", true) ? "always" : "never";
    const std::string scheme = json.get_string_or("prepend_scheme", old);
    if (scheme != "always" && scheme != "never") {
      json.fail("prepend_scheme", "'" + printable(scheme) + "' is not supported (always, never)");
    }
    prepend_ = scheme == "always";
  }

  Pieces cut(Pieces pieces) const override {
    Pieces result;
    pieces.for_each([&](std::string_view piece) {
      if (prepend_ && !piece.starts_with(mark_) && !piece.starts_with(' ')) result.text += mark_;
      for (const char c : piece) {
        if (c == ' ') {
          result.text += mark_;
        } else {
          result.text += c;
        }
      }
      result.ends.push_back(result.text.size());
    });
    if (!split_) return result;
    return split(std::move(result), Pattern(mark_), Join::next);
  }

 private:
  std::string mark_;
  bool split_, prepend_;
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
    if (regex_) pieces = split(std::move(pieces), *regex_, Join::none);
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
    Kind<PreTokenizer>{"WhitespaceSplit", make<WhitespaceSplit>},
    Kind<PreTokenizer>{"Metaspace", make<Metaspace>},
    Kind<PreTokenizer>{"ByteLevel", make<ByteLevel>},
};

}  // namespace

std::unique_ptr<PreTokenizer> make_pre_tokenizer(const JsonObject& json) { return make_part(kKinds, json); }

}  // namespace trireme
