#pragma once
// Rank 0's part of the loop: hands units to replicas as the policy says, one credit a finished unit, and results to the
// writers; writes the journal; decides the end. It moves no bytes itself and knows nothing of models.
//
// A unit is handed out with the bytes of its pictures, which are read then and forgotten with the unit; while too many
// of them are on their way, a replica gets one unit at a time. A unit is redone whole, and what its finished members
// came to stays as it was.
//
// Units that may have killed a rank in an earlier job (suspects) run first, one in hand a replica and nothing beside
// them; then all others. When nothing is left to hand out, an idle replica gets what the fullest one has not begun.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/journal.h"
#include "common/steady_clock.h"
#include "worker/dispatch/dispatcher.h"
#include "worker/exchange/exchange.h"
#include "worker/output/writers.h"

namespace trireme {

/// What one replica has done in this job; seconds are sums over its units.
struct ReplicaTotals {
  std::uint64_t items = 0;
  std::uint64_t tokens = 0;  // written
  PhaseSeconds seconds{};
  double transfer_seconds = 0, write_seconds = 0;
};

/// What rank 0 did for a replica's results, in steady_seconds().
struct ResultSpan {
  enum class Kind { transfer, write } kind = Kind::transfer;
  int replica = 0;
  std::string what;  // unit or item
  double begin = 0, seconds = 0;
};

class Coordinator {
 public:
  struct Parts {
    Exchange& exchange;
    Dispatcher& dispatcher;  // of as many replicas, and of the units below
    Journal& journal;
    Writers& writers;
  };
  struct Work {
    std::vector<Unit> units;                               // not finished yet, in input order
    std::vector<std::size_t> suspects;                     // indices into units
    std::unordered_map<std::string, ItemRecord> finished;  // by earlier jobs
  };
  /// `clock`: seconds from any start.
  Coordinator(Parts parts, Work work, std::function<double()> clock = steady_seconds);

  /// What goes out in the first scatter, one list a replica; journalled as sent.
  std::vector<std::vector<Unit>> first_shares();
  /// Returns true if anything happened. Throws Error when writing fails.
  bool progress();

  bool draining() const { return draining_; }
  /// Results are on their way to disk.
  bool writing() const { return !writing_.empty(); }
  /// Items of the whole input that are done or failed, in this job and before.
  std::uint64_t done() const { return done_; }
  std::uint64_t failed() const { return failed_; }
  std::uint64_t degraded() const { return degraded_; }
  const std::vector<ReplicaTotals>& totals() const { return totals_; }
  /// What each unit of this job that came home took its replica, in no order that matters.
  const std::vector<double>& unit_seconds() const { return unit_seconds_; }
  /// Units a replica holds now.
  int in_hand(int replica) const { return parts_.dispatcher.in_hand(replica); }
  /// More than 1.5 times as slow as the median of all.
  const std::set<int>& slow_replicas() const { return slow_; }
  /// The first 100 000.
  const std::vector<ResultSpan>& result_spans() const { return result_spans_; }
  /// By id, of this job and before.
  const std::unordered_map<std::string, ItemRecord>& records() const { return records_; }

 private:
  struct Writing {  // an item on its way to disk
    int replica, attempt;
    double seconds, finished;  // of the item; since the first units left
  };

  bool take_deliveries();
  bool take_written();
  bool take_returned();
  void start_drain();
  void plan_next_stage();
  bool all_recorded(int replica) const;
  std::optional<Unit> next_for(int replica);
  void refill();
  bool too_many_pictures(int replica) const;
  Unit with_pictures(Unit unit);
  void forget_pictures(std::uint64_t unit);
  void recall_for_the_idle();
  void watch_speed(int replica);
  void settle(ItemRecord record);
  void count(const ItemRecord& record);
  void end_if_done();
  void keep(ResultSpan::Kind kind, int replica, std::string what, double seconds);

  Parts parts_;
  const std::function<double()> clock_;
  double begin_ = 0, now_ = 0;  // of the first units, of this pass
  const std::vector<Unit> units_;
  std::set<std::size_t> suspects_;                        // places in units_
  std::unordered_map<std::uint64_t, std::size_t> place_;  // Unit::index -> place in units_
  std::vector<ReplicaTotals> totals_;
  std::vector<double> unit_seconds_;
  std::set<int> slow_;  // replicas, as said in the log
  std::unordered_map<std::string, Writing> writing_;
  std::unordered_map<std::string, ItemRecord> records_;
  std::uint64_t done_ = 0, failed_ = 0, degraded_ = 0;
  std::unordered_map<std::uint64_t, std::uint64_t> picture_bytes_;  // of units in hand, by Unit::index
  std::uint64_t picture_bytes_sum_ = 0;
  enum class Stage { suspects, all } stage_ = Stage::suspects;
  bool draining_ = false, finish_sent_ = false;
  std::vector<ResultSpan> result_spans_;
};

}  // namespace trireme
