#pragma once
// A unit that an engine which runs all six verbs on one rank has begun: which of its items can still be made, the
// session about them, the slices to come and the marks between its phases. An item of a batch that can't be made fails
// alone: the unit begins again without it. So does a unit for which memory was short, when the engine says so: the
// first time as it was, then with `degrade` item by item, then with smaller tiles, and then it fails.

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/errors.h"
#include "worker/device.h"
#include "worker/engine/engine.h"

namespace trireme {

class UnitInHand {
 public:
  struct Settings {
    bool degrade = false;       // memory.on_oom
    bool tried_before = false;  // memory was short once already
  };
  UnitInHand(Unit unit, Model& model, const Settings& settings);

  std::uint64_t index() const { return unit_.index; }
  /// A session for the items that are open, or for the next of them where they go one by one. False: memory is short.
  bool begin();
  /// What is enqueued next; null: nothing is left, or memory was short.
  const Slice* next();
  /// `begin` is to be called again when there is more memory.
  bool waits_for_memory() const { return waits_for_memory_; }
  /// Enqueues it. False: memory is short; the session is gone, and `begin` may be called once there is more of it.
  bool run();
  /// Another unit has the device until the next `run`.
  void pause();
  /// Behind the last slice.
  void end() { end_.record(model_.device()); }
  bool ended() const { return end_.done(); }
  std::uint64_t tokens() const;

  /// Once ended: seconds of each phase, and every item's result in the unit's order.
  Finished finished();
  /// Once ended: each phase with its begin and its end.
  void for_each_phase(const std::function<void(Phase, const device::Event&, const device::Event&)>& visit) const;

 private:
  enum class Stage { begun, passing, finishing, planned };
  struct Mark {
    Phase phase;
    device::Event start, end;
    bool paused = false;  // `end` is set; else the next mark's start, or that of the unit's end
  };
  bool attempt(const std::function<void()>& work);
  std::vector<std::size_t> places_to_make() const;
  void drop_session();
  void plan();
  void close_share();
  void fail(const ItemError& error);
  void fail_share(const std::string& why);
  void memory_was_short(const std::string& what);
  const device::Event& end_of(std::size_t mark) const;
  const device::Event& first_token() const;

  Unit unit_;
  Model& model_;
  const bool degrade_;
  std::vector<std::string> errors_;          // of each item; empty: it can be made
  std::vector<std::optional<Result>> made_;  // of each item
  std::vector<std::size_t> share_;           // places of the items that the session is about
  std::unique_ptr<Session> session_;         // null when nothing is left to make
  std::unique_ptr<Session> closed_;          // all of it is enqueued; its tokens become known
  Slices slices_;                            // of the present stage
  std::size_t next_ = 0;
  Stage stage_ = Stage::begun;
  std::vector<Result> results_;  // of the share

  int shortages_ = 0;
  bool waits_for_memory_ = false;
  bool one_by_one_ = false;
  int halved_tiles_ = 0;
  std::uint64_t tokens_ = 0;  // of past sessions

  std::vector<Mark> marks_;  // where a phase begins
  device::Event end_;
};

}  // namespace trireme
