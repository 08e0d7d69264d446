#include "worker/transport/strict_queues.h"

#include <algorithm>
#include <utility>

#include "common/errors.h"

namespace trireme::strict {

Queues::Queues(int ranks, int communicators, std::function<std::uint64_t()> delay)
    : ranks_(ranks), delay_(std::move(delay)) {
  for (int communicator = 0; communicator < communicators; ++communicator) {
    for (int rank = 0; rank < ranks; ++rank) queues_.push_back({communicator, rank, {}});
  }
}

TransferId Queues::post(int communicator, int rank, std::vector<Half> halves) {
  Group group{++last_id_, {}};
  for (Half& half : halves) {
    const std::uint64_t number = posted_[{communicator, rank, half.peer, half.direction}]++;
    if (half.direction == Direction::receive) half.data.fill_(0xee);  // nobody may count on what was there
    group.halves.push_back({std::move(half), number});
  }
  if (group.halves.empty()) return group.id;
  Queue& own = queue(communicator, rank);
  groups_[group.id] = &own;
  own.groups.push_back(std::move(group));
  launch(rank);
  return last_id_;
}

void Queues::launch(int rank) {
  for (Queue& queue : queues_) {
    if (queue.rank != rank) continue;
    const auto next =
        std::find_if(queue.groups.begin(), queue.groups.end(), [this](const Group& g) { return !launched(g); });
    if (next != queue.groups.end() && !next->launched_at) next->launched_at = now_ + delay_();
  }
}

bool Queues::launched(int communicator, int rank) const {
  const Queue& own = queues_[communicator * ranks_ + rank];
  return std::all_of(own.groups.begin(), own.groups.end(), [this](const Group& group) { return launched(group); });
}

bool Queues::running(TransferId id) const {
  const auto found = groups_.find(id);
  if (found == groups_.end()) return false;
  const auto& groups = found->second->groups;
  return launched(*std::find_if(groups.begin(), groups.end(), [id](const Group& group) { return group.id == id; }));
}

bool Queues::waits_for_itself(int rank) const {
  for (const Queue& queue : queues_) {
    if (queue.rank != rank) continue;
    for (const Group& group : queue.groups) {
      for (const Posted& posted : group.halves) {
        if (posted.half.peer == rank && !posted.met) return true;
      }
    }
  }
  return false;
}

std::pair<Queues::Posted*, std::size_t> Queues::find_other(const Queue& of, const Posted& mine) {
  Queue& peer = queue(of.communicator, mine.half.peer);
  for (std::size_t before = 0; before < peer.groups.size(); ++before) {
    for (Posted& other : peer.groups[before].halves) {
      if (other.half.peer == of.rank && other.half.direction != mine.half.direction && other.number == mine.number) {
        return {&other, before};
      }
    }
  }
  return {nullptr, 0};
}

bool Queues::meet(const Queue& of, Posted& mine) {
  const auto [other, before] = find_other(of, mine);
  if (!other) return false;
  if (mine.half.peer != of.rank && !moves(queue(of.communicator, mine.half.peer), before)) return false;
  if (mine.half.data.numel() != other->half.data.numel()) {
    throw Error(ExitCode::internal, "strict: rank " + std::to_string(of.rank) + " and rank " +
                                        std::to_string(mine.half.peer) + " differ about the bytes of a transfer\n" +
                                        describe());
  }
  mine.met = other->met = true;
  mine.done_at = now_ + delay_();
  other->done_at = now_ + delay_();
  return true;
}

/// The bytes move at the last moment allowed, when the first of the two sides is told: a sender that changes its buffer
/// before, or a receiver that looks before, is found out.
void Queues::finish(const Queue& of, Posted& mine) {
  mine.done = true;
  Posted* other = find_other(of, mine).first;
  if (!other || other->done) return;
  const bool sending = mine.half.direction == Direction::send;
  (sending ? other : &mine)->half.data.copy_((sending ? &mine : other)->half.data);
}

bool Queues::settle(Queue& queue) {
  bool moved = false;
  for (std::size_t place = 0; place < queue.groups.size(); ++place) {
    for (Posted& half : queue.groups[place].halves) {
      if (half.half.peer != queue.rank && !moves(queue, place)) continue;
      if (!half.met) moved |= meet(queue, half);
      if (!half.met || half.done || half.done_at > now_) continue;
      finish(queue, half);
      moved = true;
    }
  }
  while (!queue.groups.empty() && std::all_of(queue.groups.front().halves.begin(), queue.groups.front().halves.end(),
                                              [](const Posted& half) { return half.done; })) {
    groups_.erase(queue.groups.front().id);
    queue.groups.pop_front();
    moved = true;
  }
  return moved;
}

bool Queues::advance(std::uint64_t now) {
  now_ = now;
  if (groups_.empty()) return false;
  bool moved = false;
  for (Queue& queue : queues_) moved |= settle(queue);
  return moved;
}

std::optional<std::string> Queues::cycle() {
  // Follow, from every queue, each wait for a half that stands behind another head; a queue met again closes a cycle.
  std::vector<Queue*> path;
  const std::function<bool(Queue&)> walk = [&](Queue& from) {
    const bool closed = std::find(path.begin(), path.end(), &from) != path.end();
    path.push_back(&from);
    if (closed) return true;
    if (!from.groups.empty()) {
      for (const Posted& half : from.groups.front().halves) {
        if (half.met || half.half.peer == from.rank) continue;
        const auto [other, before] = find_other(from, half);
        if (other && before > 0 && walk(queue(from.communicator, half.half.peer))) return true;
      }
    }
    path.pop_back();
    return false;
  };
  for (Queue& start : queues_) {
    path.clear();
    if (!walk(start)) continue;
    std::string names;
    for (Queue* queue : path) names += (names.empty() ? "" : " -> ") + name(*queue);
    return names;
  }
  return std::nullopt;
}

std::string Queues::name(const Queue& queue) {
  return "rank " + std::to_string(queue.rank) + (queue.communicator == 0 ? " exchange" : " replica");
}

std::string Queues::describe() const {
  std::string text;
  for (const Queue& queue : queues_) {
    if (queue.groups.empty()) continue;
    text += "  " + name(queue) + ":";
    for (const Group& group : queue.groups) {
      text += " [";
      for (const Posted& posted : group.halves) {
        if (&posted != &group.halves.front()) text += ", ";
        text += posted.half.direction == Direction::send ? "send to " : "receive from ";
        text += std::to_string(posted.half.peer) + " (" + std::to_string(posted.half.data.numel()) + " bytes" +
                (posted.done  ? ", done"
                 : posted.met ? ", moving"
                              : "") +
                ")";
      }
      text += "]";
    }
    text += "\n";
  }
  return text.empty() ? "  no transfer is pending\n" : text;
}

}  // namespace trireme::strict
