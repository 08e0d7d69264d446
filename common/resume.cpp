#include "common/resume.h"

#include <algorithm>

namespace trireme {

using rank_log::LastWord;

void RunState::apply(const JournalLine& line) {
  if (const auto* start = std::get_if<StartLine>(&line)) {
    start_ = *start;
    ended_ = false;
    sent_.clear();
  } else if (const auto* sent = std::get_if<SentLine>(&line)) {
    sent_[sent->unit] = *sent;
  } else if (const auto* returned = std::get_if<ReturnedLine>(&line)) {
    sent_.erase(returned->unit);
  } else if (const auto* item = std::get_if<ItemRecord>(&line)) {
    items_[item->id] = *item;
  } else if (const auto* suspect = std::get_if<SuspectLine>(&line)) {
    Suspicion& suspicion = suspicions_[suspect->unit];
    suspicion.ids = suspect->ids;
    suspicion.noted_in.insert(suspect->launch);
    if (suspect->blamed) suspicion.blamed_in.insert(suspect->launch);
  } else if (std::holds_alternative<EndLine>(line)) {
    ended_ = true;
  }
}

bool RunState::unfinished(const std::vector<std::string>& ids) const {
  return std::any_of(ids.begin(), ids.end(), [&](const std::string& id) { return !items_.contains(id); });
}

std::vector<Suspect> RunState::suspects() const {
  std::vector<Suspect> found;
  for (const auto& [unit, suspicion] : suspicions_) {
    if (unfinished(suspicion.ids)) found.push_back({unit, suspicion.ids, static_cast<int>(suspicion.blamed_in.size())});
  }
  return found;
}

std::vector<SuspectLine> RunState::suspects_of_crash(const std::vector<LastWord>& words) const {
  if (ended_by_itself()) return {};
  std::map<int, std::vector<const SentLine*>> in_hand;  // by replica
  for (const auto& [unit, sent] : sent_) {
    if (unfinished(sent.ids)) in_hand[sent.replica].push_back(&sent);
  }
  const bool no_end = std::none_of(words.begin(), words.end(), [](LastWord word) {
    return word == LastWord::finished || word == LastWord::stopped || word == LastWord::died;
  });
  const bool all_unknown = no_end && (words.size() != 1 || words[0] == LastWord::absent);

  std::vector<SuspectLine> lines;
  for (const auto& [replica, units] : in_hand) {
    int dead_rank = -1;
    const int first = replica * start_.ranks_per_replica;
    const int last = std::min<int>(first + start_.ranks_per_replica, static_cast<int>(words.size()));
    for (int rank = first; rank < last && !all_unknown && dead_rank < 0; ++rank) {
      if (words[rank] == LastWord::unmarked || words[rank] == LastWord::died) dead_rank = rank;
    }
    if (dead_rank < 0 && !all_unknown) continue;
    for (const SentLine* sent : units) {
      const auto known = suspicions_.find(sent->unit);
      if (known != suspicions_.end() && known->second.noted_in.contains(start_.launch)) continue;
      lines.push_back({sent->unit, sent->ids, start_.launch, dead_rank >= 0 && units.size() == 1, dead_rank});
    }
  }
  return lines;
}

}  // namespace trireme
