#pragma once
// SentencePiece's Unigram: every token has a score, and a piece is cut into the tokens whose scores add up to the most.
// Ref: tokenizers models/unigram/model.rs, encode_optimized.

#include <unordered_map>

#include "common/tokenizer/prefix_index.h"
#include "common/tokenizer/subword_model.h"

namespace trireme {

class UnigramModel : public SubwordModel {
 public:
  /// Throws Error(bad_data) for a damaged vocabulary.
  explicit UnigramModel(const JsonObject& json);

  /// Characters in a row that the vocabulary lacks become one unknown token, or the tokens of their bytes. ItemError
  /// when there is none.
  void encode(const Pieces& pieces, std::vector<int>& ids) const override;
  std::optional<int> id(std::string_view token) const override;
  const std::string* token(int id) const override;
  std::size_t size() const override { return tokens_.size(); }

 private:
  struct Step {
    int id = -1;  // -1: a character that the vocabulary lacks
    double score = 0;
    std::size_t begin = 0;
    bool reached = false;
  };
  void encode_piece(std::string_view piece, std::vector<Step>& best, std::vector<int>& ids) const;
  void append_part(std::string_view characters, std::vector<int>& ids) const;

  std::vector<std::string> tokens_;
  std::vector<double> scores_;
  std::unordered_map<std::string_view, int> ids_;
  PrefixIndex index_;
  double unknown_score_ = 0;
  std::optional<int> unknown_;
  std::optional<ByteTokens> bytes_;
};

}  // namespace trireme
