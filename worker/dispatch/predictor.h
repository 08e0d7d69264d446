#pragma once
// How long a unit will take on a replica: its work, by the cost model, times the seconds that this replica has needed
// for a second's worth of work. Learns from every unit that comes home. Rank 0 only; single thread; nothing fails.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace trireme {

/// Seconds at nominal rates. An answer's length is not known before it is written: at most `most_tokens`.
struct UnitWork {
  double seconds = 1;        // whatever is written
  double token_seconds = 0;  // for each token written
  double most_tokens = 0;
};

class Predictor {
 public:
  /// `units`: by place in the run's list. `at_once`: that a replica has under way at a time, so that one of them coming
  /// home says little and as many say what they took.
  Predictor(std::vector<UnitWork> units, int replicas, int at_once = 1);

  /// A unit of this run came home, `seconds` after that replica's last one. `tokens`: written, 0 for pictures.
  void finished(std::size_t unit, int replica, double seconds, double tokens);

  /// The unit's work, in seconds of a replica of speed 1, with the length of answers and the cost of sizes as seen so
  /// far.
  double work(std::size_t unit) const;
  /// Of a replica: work done in a second. Those that have finished nothing are taken for average ones.
  double speed(int replica) const;
  /// More than 1.5 times as slow as the median of the replicas, by its last few units.
  bool much_slower(int replica) const;
  double seconds(std::size_t unit, int replica) const { return work(unit) / speed(replica); }
  /// Seconds are seconds, and not only relative to each other.
  bool measured() const { return known_ > 0; }

 private:
  static constexpr std::size_t kRemembered = 3;  // units: a median over them forgets a warm-up and notices a slow-down
  struct Replica {
    std::vector<double> slowness;      // the last few, seconds for a second of work
    double speed = 0;                  // 0: not known
    double seconds = 0, work = 0;      // of those that came home since the last of `slowness`
    double usual = 0, usual_over = 0;  // the logarithm of slowness, a mean over so many
    int home = 0;                      // so many
  };
  double nominal(const UnitWork& work, double tokens) const { return work.seconds + work.token_seconds * tokens; }
  double correction(int size_class) const;
  void learn_speed(Replica& replica, double slowness);

  const std::vector<UnitWork> units_;
  const int at_once_;
  std::vector<Replica> replicas_;
  std::map<int, double> corrections_;         // by class of size: what the cost model got wrong
  double written_share_ = 0.5, answers_ = 0;  // of most_tokens, over so many answers
  double speeds_ = 0;                         // the sum of those known
  int known_ = 0;                             // so many
};

}  // namespace trireme
