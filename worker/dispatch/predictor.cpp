#include "worker/dispatch/predictor.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace trireme {
namespace {

constexpr double kClassesAnOctave = 4;
constexpr double kCorrectionRate = 0.15;  // of what one unit teaches about its size
constexpr double kMostTaught = 0.35;      // by one unit, as a logarithm: more is rather chance, or the replica
constexpr double kUsualOver = 10;         // units of a replica, of all sizes
constexpr double kOtherSpeed = 2;         // so many times the usual, a few units in a row: the replica has changed
constexpr double kMuchSlower = 1.5;       // so many times
constexpr double kAnswersRemembered = 100;

int size_class(const UnitWork& work) {
  const double most = work.seconds + work.token_seconds * work.most_tokens;
  return static_cast<int>(std::lround(kClassesAnOctave * std::log2(std::max(most, 1e-9))));
}

/// The lower one of two: what a first unit takes longer is mostly warm-up.
double lower_median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

Predictor::Predictor(std::vector<UnitWork> units, int replicas, int at_once)
    : units_(std::move(units)), at_once_(at_once), replicas_(static_cast<std::size_t>(replicas)) {}

double Predictor::correction(int wanted) const {
  if (corrections_.empty()) return 1;
  const auto above = corrections_.lower_bound(wanted);
  if (above == corrections_.begin()) return above->second;
  const auto below = std::prev(above);
  if (above == corrections_.end()) return below->second;
  return above->first - wanted <= wanted - below->first ? above->second : below->second;
}

void Predictor::finished(std::size_t unit, int replica, double seconds, double tokens) {
  const UnitWork& work = units_.at(unit);
  if (work.most_tokens > 0) {
    answers_ = std::min(answers_ + 1, kAnswersRemembered);
    written_share_ += (std::min(1.0, tokens / work.most_tokens) - written_share_) / answers_;
  }
  const double done = nominal(work, tokens);
  if (seconds <= 0 || done <= 0) return;
  const int size = size_class(work);
  Replica& which = replicas_.at(static_cast<std::size_t>(replica));
  which.seconds += seconds;
  which.work += done * correction(size);
  if (++which.home < at_once_) return;
  const double slowness = which.seconds / which.work;
  which.seconds = which.work = 0;
  which.home = 0;
  learn_speed(which, slowness);
  if (at_once_ > 1) return;  // sizes are mixed up
  double& learned = corrections_.emplace(size, correction(size)).first->second;
  learned *= std::exp(kCorrectionRate * std::clamp(std::log(slowness) - which.usual, -kMostTaught, kMostTaught));
}

void Predictor::learn_speed(Replica& replica, double slowness) {
  if (replica.slowness.size() == kRemembered) replica.slowness.erase(replica.slowness.begin());
  replica.slowness.push_back(slowness);
  if (replica.speed == 0) ++known_;
  speeds_ -= replica.speed;
  replica.speed = 1 / lower_median(replica.slowness);
  speeds_ += replica.speed;
  const auto [least, most] = std::minmax_element(replica.slowness.begin(), replica.slowness.end());
  const double usual = std::exp(replica.usual);
  const bool changed = *least > kOtherSpeed * usual || *most * kOtherSpeed < usual;
  if (changed && replica.slowness.size() == kRemembered) replica.usual_over = 0;
  replica.usual_over = std::min(replica.usual_over + 1, kUsualOver);
  replica.usual += (std::log(slowness) - replica.usual) / replica.usual_over;
}

double Predictor::work(std::size_t unit) const {
  const UnitWork& work = units_.at(unit);
  return nominal(work, written_share_ * work.most_tokens) * correction(size_class(work));
}

bool Predictor::much_slower(int replica) const {
  const Replica& mine = replicas_.at(static_cast<std::size_t>(replica));
  if (mine.slowness.size() < kRemembered) return false;
  const auto faster = std::count_if(replicas_.begin(), replicas_.end(),
                                    [&](const Replica& other) { return other.speed > kMuchSlower * mine.speed; });
  return 2 * faster >= known_;
}

double Predictor::speed(int replica) const {
  const double known = replicas_.at(static_cast<std::size_t>(replica)).speed;
  if (known > 0) return known;
  return known_ > 0 ? speeds_ / known_ : 1;
}

}  // namespace trireme
