#pragma once
// Tokens beside the model's vocabulary, such as <|im_start|>: found in the text before anything else, the longest
// first. Ref: tokenizers tokenizer/added_vocabulary.rs.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/json.h"
#include "common/tokenizer/normalizer.h"
#include "common/tokenizer/prefix_index.h"
#include "common/tokenizer/subword_model.h"

namespace trireme {

/// Finds the longest of some strings at the leftmost place where any of them stands.
class LiteralFinder {
 public:
  struct Match {
    std::size_t begin, end;
    int value;
  };
  LiteralFinder() = default;
  /// Throws Error(bad_data) starting with `place` when a string is there twice.
  LiteralFinder(std::vector<std::pair<std::string, int>> strings, const std::string& place)
      : strings_(std::move(strings), place) {}
  std::optional<Match> find(std::string_view text, std::size_t from) const;

 private:
  PrefixIndex strings_;
};

class AddedTokens {
 public:
  /// Reads the list "added_tokens". An id must be the one that the reference library would give the token: that of the
  /// model's vocabulary or the next free one. Throws Error(bad_data).
  AddedTokens(const JsonObject& json, const SubwordModel& model, const Normalizer* normalizer);

  struct Segment {
    std::string_view text;
    std::optional<int> id;  // the token that the segment is
  };
  /// Tokens to be found in the text as it came.
  std::vector<Segment> split_raw(std::string_view text) const { return split(text, raw_); }
  /// Tokens to be found in the normalised text.
  std::vector<Segment> split_normalized(std::string_view text) const { return split(text, normalized_); }

  std::optional<int> id(std::string_view token) const;
  /// What the decoder gets to see; nullptr when no added token has the id.
  const std::string* decoded(int id) const;
  bool is_special(std::string_view token) const { return special_.count(token) != 0; }
  std::size_t count_outside(const SubwordModel& model) const;

 private:
  struct Token {
    std::string content, decoded;  // the normalised content, where that is looked for
    bool single_word, strip_left, strip_right;
  };
  std::vector<Segment> split(std::string_view text, const LiteralFinder& finder) const;
  bool is_single_word(std::string_view text, const LiteralFinder::Match& match) const;

  std::map<int, Token> tokens_;
  std::map<std::string, int, std::less<>> ids_;
  std::set<std::string, std::less<>> special_;
  LiteralFinder raw_, normalized_;
};

}  // namespace trireme
