#include "worker/models/model.h"

#include "common/errors.h"

namespace trireme {
namespace {

[[noreturn]] void refuse_cut() {
  throw ConfigError("parallel.stages: more than 1 is not available yet for this model family; use 1");
}

}  // namespace

Layers Stage::layers(int total) const {
  if (count == 1) return {0, total};
  if (cuts.size() != static_cast<std::size_t>(count) + 1 || cuts.front() != 0 || cuts.back() != 2 * total) {
    throw ConfigError("parallel.split: not one of " + std::to_string(count) + " stages for the " +
                      std::to_string(total) + " layers of this model");
  }
  const int begin = cuts[static_cast<std::size_t>(index)], end = cuts[static_cast<std::size_t>(index) + 1];
  return {begin / 2, (end + 1) / 2, begin % 2 == 1, end % 2 == 1};
}

void Model::follow(Session&, Slices&) { refuse_cut(); }
Crossing Model::crossing(const Session&, int) const { refuse_cut(); }
std::string Model::note(const Session&) const { return {}; }
std::unique_ptr<Session> Model::begin_later(const Unit& unit, const std::string&, Slices& slices) {
  return begin(unit, slices);
}

}  // namespace trireme
