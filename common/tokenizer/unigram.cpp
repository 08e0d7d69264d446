#include "common/tokenizer/unigram.h"

#include <algorithm>
#include <limits>

#include "common/errors.h"
#include "common/utf8.h"

namespace trireme {
namespace {

constexpr std::size_t kMaxTokens = 1 << 24;
constexpr double kUnknownPenalty = 10;

}  // namespace

UnigramModel::UnigramModel(const JsonObject& json) {
  json.refuse_unknown({"type", "unk_id", "vocab", "byte_fallback"});
  const nlohmann::json& list = json.at("vocab");
  if (!list.is_array() || list.size() > kMaxTokens) json.fail("vocab", "not a list of tokens");
  double lowest = std::numeric_limits<double>::infinity();
  tokens_.reserve(list.size());  // `ids_` looks into it
  std::vector<std::pair<std::string, int>> searched;
  for (const nlohmann::json& entry : list) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
      json.fail("vocab", "number " + std::to_string(tokens_.size()) + " is not a token and its score");
    }
    const int id = static_cast<int>(tokens_.size());
    tokens_.push_back(entry[0].get<std::string>());
    scores_.push_back(entry[1].get<double>());
    lowest = std::min(lowest, scores_.back());
    ids_.emplace(tokens_.back(), id);
    if (!tokens_.back().empty()) searched.emplace_back(tokens_.back(), id);
  }
  index_ = PrefixIndex(std::move(searched), json.place() + ": vocab");
  unknown_score_ = lowest - kUnknownPenalty;
  if (json.has("unk_id")) {
    if (tokens_.empty()) json.fail("unk_id", "there are no tokens");
    unknown_ = static_cast<int>(json.get_int("unk_id", 0, static_cast<std::int64_t>(tokens_.size()) - 1));
  }
  if (json.get_bool_or("byte_fallback", false)) bytes_ = find_byte_tokens(*this, json);
}

std::optional<int> UnigramModel::id(std::string_view token) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

const std::string* UnigramModel::token(int id) const {
  return id < 0 || static_cast<std::size_t>(id) >= tokens_.size() ? nullptr : &tokens_[static_cast<std::size_t>(id)];
}

void UnigramModel::encode(const Pieces& pieces, std::vector<int>& ids) const {
  std::vector<Step> best;
  pieces.for_each([&](std::string_view piece) { encode_piece(piece, best, ids); });
}

void UnigramModel::append_part(std::string_view characters, std::vector<int>& ids) const {
  if (const std::optional<int> known = id(characters)) {  // single characters that the search passes over
    ids.push_back(*known);
  } else if (bytes_) {
    for (const char byte : characters) ids.push_back((*bytes_)[static_cast<unsigned char>(byte)]);
  } else if (unknown_) {
    ids.push_back(*unknown_);
  } else {
    throw ItemError("'" + printable(characters) + "' has no token, and the vocabulary names no unknown token");
  }
}

void UnigramModel::encode_piece(std::string_view piece, std::vector<Step>& best, std::vector<int>& ids) const {
  best.assign(piece.size() + 1, {});  // by byte: the last token of the best way to there
  const auto reach = [&](std::size_t end, int id, double score, std::size_t begin) {
    if (!best[end].reached || score > best[end].score) best[end] = {id, score, begin, true};
  };
  for (std::size_t begin = 0; begin < piece.size();) {
    const double before = best[begin].score;
    std::size_t next = begin;
    next_code_point(piece, next);
    bool has_single = false;
    index_.for_each_at(piece, begin, [&](std::size_t end, int id) {
      reach(end, id, scores_[static_cast<std::size_t>(id)] + before, begin);
      has_single = has_single || end == next;
    });
    if (!has_single) reach(next, unknown_.value_or(-1), unknown_score_ + before, begin);
    begin = next;
  }

  std::vector<std::string_view> backwards;
  std::size_t unknown_end = 0;  // of the run of unknown characters under way; 0: none
  for (std::size_t end = piece.size(); end > 0; end = best[end].begin) {
    const std::size_t begin = best[end].begin;
    const bool is_unknown = best[end].id == unknown_.value_or(-1);
    if (is_unknown && unknown_end == 0) unknown_end = end;
    if (unknown_end != 0 && (!is_unknown || begin == 0)) {
      const std::size_t run_begin = is_unknown ? begin : end;
      backwards.push_back(piece.substr(run_begin, unknown_end - run_begin));
      unknown_end = 0;
    }
    if (!is_unknown) backwards.push_back(piece.substr(begin, end - begin));
  }
  for (auto part = backwards.rbegin(); part != backwards.rend(); ++part) append_part(*part, ids);
}

}  // namespace trireme
