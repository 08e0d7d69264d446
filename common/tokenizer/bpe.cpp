#include "common/tokenizer/bpe.h"

#include <algorithm>
#include <bit>
#include <tuple>

#include "common/errors.h"
#include "common/utf8.h"

namespace trireme {
namespace {

constexpr int kMaxId = (1 << 24) - 1;
constexpr std::uint64_t kNoPair = ~std::uint64_t{0};

std::uint64_t pair_of(int left, int right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
}

std::size_t first_slot(std::uint64_t pair, std::size_t slots) {
  return pair * 0x9E3779B97F4A7C15u >> (64 - std::countr_zero(slots));
}

/// ["a", "b"] or, in older files, "a b".
std::pair<std::string, std::string> merge_parts(const nlohmann::json& merge) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  }
  if (merge.is_string()) {
    const auto& text = merge.get_ref<const std::string&>();
    const std::size_t blank = text.find(' ');
    if (blank != text.npos && text.find(' ', blank + 1) == text.npos) {
      return {text.substr(0, blank), text.substr(blank + 1)};
    }
  }
  return {};
}

}  // namespace

bool BytePairModel::Candidate::operator<(const Candidate& other) const {
  return std::tie(rank, position) > std::tie(other.rank, other.position);
}

BytePairModel::BytePairModel(const JsonObject& json)
    : ignore_merges_(json.get_bool_or("ignore_merges", false)),
      unknown_token_(json.get_string_or("unk_token", "")),
      fuse_unknown_(json.get_bool_or("fuse_unk", false)) {
  json.refuse_unknown({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
                       "byte_fallback", "ignore_merges", "vocab", "merges"});
  if (json.get_double_or("dropout", 0, 0, 1) != 0) json.fail("dropout", "not supported");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!json.get_string_or(key, "").empty()) json.fail(key, "not supported");
  }
  read_vocabulary(json);
  read_merges(json);
  if (json.get_bool_or("byte_fallback", false)) bytes_ = find_byte_tokens(*this, json);
}

void BytePairModel::read_vocabulary(const JsonObject& json) {
  const JsonObject vocabulary = json.get_object("vocab");
  ids_.reserve(vocabulary.value().size());
  short_characters_.assign(0x800, -1);
  for (const auto& [token, value] : vocabulary.value().items()) {
    const int id = value.is_number_unsigned() && value.get<std::uint64_t>() <= kMaxId ? value.get<int>() : -1;
    if (id < 0) vocabulary.fail(printable(token), "not an id from 0 to " + std::to_string(kMaxId));
    if (tokens_.size() <= static_cast<std::size_t>(id)) tokens_.resize(id + 1);
    const std::string*& place = tokens_[id];
    if (place != nullptr) {
      vocabulary.fail(printable(token), "has the id " + std::to_string(id) + " of '" + printable(*place) + "'");
    }
    place = &ids_.emplace(token, id).first->first;
    if (token.empty()) continue;
    std::size_t end = 0;
    const char32_t character = next_code_point(token, end);
    if (end == token.size() && character < short_characters_.size()) short_characters_[character] = id;
  }
}

void BytePairModel::read_merges(const JsonObject& json) {
  const nlohmann::json& list = json.at("merges");
  if (!list.is_array()) json.fail("merges", "not a list");
  merges_.assign(std::bit_ceil(2 * list.size() + 2), {kNoPair, 0, 0});
  for (std::size_t rank = 0; rank < list.size(); ++rank) {
    const auto [left, right] = merge_parts(list[rank]);
    const std::optional<int> left_id = id(left), right_id = id(right), joined_id = id(left + right);
    if (left.empty() || right.empty() || !left_id || !right_id || !joined_id) {
      json.fail("merges", "number " + std::to_string(rank) + " is not two tokens whose join is a token: " +
                              printable(list[rank].dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
    }
    add_merge({pair_of(*left_id, *right_id), static_cast<int>(rank), *joined_id});
  }
}

/// A pair listed again takes the later place, as in the reference.
void BytePairModel::add_merge(Merge merge) {
  std::size_t slot = first_slot(merge.pair, merges_.size());
  while (merges_[slot].pair != kNoPair && merges_[slot].pair != merge.pair) slot = (slot + 1) & (merges_.size() - 1);
  merges_[slot] = merge;
}

const BytePairModel::Merge* BytePairModel::find_merge(int left, int right) const {
  const std::uint64_t pair = pair_of(left, right);
  std::size_t slot = first_slot(pair, merges_.size());
  while (merges_[slot].pair != pair) {
    if (merges_[slot].pair == kNoPair) return nullptr;
    slot = (slot + 1) & (merges_.size() - 1);
  }
  return &merges_[slot];
}

std::optional<int> BytePairModel::id(std::string_view token) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

const std::string* BytePairModel::token(int id) const {
  return id < 0 || static_cast<std::size_t>(id) >= tokens_.size() ? nullptr : tokens_[id];
}

void BytePairModel::encode(const Pieces& pieces, std::vector<int>& ids) const {
  Scratch scratch;
  pieces.for_each([&](std::string_view piece) {
    const std::optional<int> whole = ignore_merges_ ? id(piece) : std::nullopt;
    if (whole) {
      ids.push_back(*whole);
    } else {
      encode_piece(piece, scratch, ids);
    }
  });
}

int BytePairModel::character_id(std::string_view character) const {
  std::size_t end = 0;
  if (character.size() <= 2) return short_characters_[next_code_point(character, end)];
  return id(character).value_or(-1);
}

int BytePairModel::unknown_id() const {
  const std::optional<int> found = id(unknown_token_);
  if (!found)
    throw ItemError("a character has no token, and the vocabulary lacks " + printable(unknown_token_) + " too");
  return *found;
}

void BytePairModel::read_characters(std::string_view piece, std::vector<Symbol>& symbols) const {
  symbols.clear();
  const auto add = [&symbols](int id) {
    const int position = static_cast<int>(symbols.size());
    symbols.push_back({id, position - 1, position + 1});
  };
  bool was_known = true;
  for (std::size_t at = 0; at < piece.size();) {
    const std::size_t begin = at;
    next_code_point(piece, at);
    int id = character_id(piece.substr(begin, at - begin));
    const bool is_known = id >= 0;
    if (!is_known && bytes_) {
      for (const char byte : piece.substr(begin, at - begin)) add((*bytes_)[static_cast<unsigned char>(byte)]);
      continue;
    }
    const bool is_left_out = !is_known && (unknown_token_.empty() || (fuse_unknown_ && !was_known));
    was_known = is_known;
    if (is_left_out) continue;
    if (!is_known) id = unknown_id();
    add(id);
  }
  if (!symbols.empty()) symbols.back().next = -1;
}

void BytePairModel::encode_piece(std::string_view piece, Scratch& scratch, std::vector<int>& ids) const {
  std::vector<Symbol>& symbols = scratch.symbols;
  read_characters(piece, symbols);
  if (symbols.empty()) return;

  std::vector<Candidate>& candidates = scratch.candidates;
  candidates.clear();
  for (int position = 0; symbols[position].next >= 0; ++position) add_candidate(position, scratch);
  while (!candidates.empty()) {
    std::pop_heap(candidates.begin(), candidates.end());
    const Candidate best = candidates.back();
    candidates.pop_back();
    join(best, scratch);
  }
  for (int position = 0; position >= 0; position = symbols[position].next) ids.push_back(symbols[position].id);
}

void BytePairModel::add_candidate(int position, Scratch& scratch) const {
  const Symbol& left = scratch.symbols[position];
  const Merge* merge = find_merge(left.id, scratch.symbols[left.next].id);
  if (merge == nullptr) return;
  scratch.candidates.push_back({merge->rank, position, merge->id});
  std::push_heap(scratch.candidates.begin(), scratch.candidates.end());
}

void BytePairModel::join(const Candidate& candidate, Scratch& scratch) const {
  std::vector<Symbol>& symbols = scratch.symbols;
  Symbol& left = symbols[candidate.position];
  if (left.id < 0 || left.next < 0) return;
  Symbol& right = symbols[left.next];
  // The pair may have changed since the candidate was noted.
  const Merge* merge = find_merge(left.id, right.id);
  if (merge == nullptr || merge->id != candidate.id) return;
  left.id = candidate.id;
  left.next = right.next;
  right.id = -1;
  if (left.next >= 0) symbols[left.next].previous = candidate.position;
  if (left.previous >= 0) add_candidate(left.previous, scratch);
  if (left.next >= 0) add_candidate(candidate.position, scratch);
}

}  // namespace trireme
