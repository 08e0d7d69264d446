#pragma once
// Byte-pair encoding: a piece starts as single characters; the neighbouring pair whose merge stands first in the list
// is joined, until no pair is in the list. Ref: tokenizers models/bpe/{model,word}.rs.

#include <cstdint>
#include <unordered_map>

#include "common/tokenizer/subword_model.h"

namespace trireme {

class BytePairModel : public SubwordModel {
 public:
  /// Throws Error(bad_data): dropout, affixes; damaged vocabulary or merges.
  explicit BytePairModel(const JsonObject& json);

  /// Characters that the vocabulary lacks become the tokens of their bytes, else the unknown token, or are left out.
  /// ItemError when the vocabulary lacks that token too.
  void encode(const Pieces& pieces, std::vector<int>& ids) const override;
  std::optional<int> id(std::string_view token) const override;
  const std::string* token(int id) const override;
  std::size_t size() const override { return ids_.size(); }

 private:
  struct Merge {
    std::uint64_t pair;  // left id, right id
    int rank, id;        // place in the list, id of the joined token
  };
  struct Symbol {
    int id;              // -1: joined to its left neighbour
    int previous, next;  // -1: none
  };
  struct Candidate {
    int rank, position, id;
    bool operator<(const Candidate& other) const;  // later
  };
  struct Scratch {
    std::vector<Symbol> symbols;
    std::vector<Candidate> candidates;  // a heap
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  void read_vocabulary(const JsonObject& json);
  void read_merges(const JsonObject& json);
  void add_merge(Merge merge);
  const Merge* find_merge(int left, int right) const;
  int character_id(std::string_view character) const;
  int unknown_id() const;
  void read_characters(std::string_view piece, std::vector<Symbol>& symbols) const;
  void encode_piece(std::string_view piece, Scratch& scratch, std::vector<int>& ids) const;
  void add_candidate(int position, Scratch& scratch) const;
  void join(const Candidate& candidate, Scratch& scratch) const;

  bool ignore_merges_ = false;
  std::string unknown_token_;  // empty: none
  bool fuse_unknown_ = false;  // one for all characters in a row
  std::optional<ByteTokens> bytes_;
  std::unordered_map<std::string, int, Hash, std::equal_to<>> ids_;
  std::vector<const std::string*> tokens_;  // by id
  std::vector<Merge> merges_;               // open addressing, a power of two
  std::vector<int> short_characters_;       // ids of characters below U+0800, which stand-ins for bytes are
};

}  // namespace trireme
