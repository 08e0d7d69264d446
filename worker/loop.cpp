#include "worker/loop.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include "common/log.h"
#include "common/steady_clock.h"
#include "worker/signals.h"

namespace trireme {
namespace {

constexpr auto kIdleSleep = std::chrono::microseconds(100);
constexpr double kNews = 1;       // seconds between two words about tokens
constexpr double kSilence = 1.5;  // stall timeouts: a stuck rank's own watchdog speaks first and knows more

/// What only grows while a rank gets on with its work.
std::uint64_t work_done(const LoopParts& parts) {
  std::uint64_t sum = parts.engine.slices_done() + parts.transport.traffic().carrier_transfers;
  if (parts.output != nullptr) sum += parts.output->done();
  if (parts.coordinator != nullptr) sum += parts.coordinator->done() + parts.coordinator->failed();
  return sum;
}

/// For the watchdog: what this rank would be stuck at from here on.
void say_what_is_in_hand(LoopParts& parts) {
  const bool computing = parts.engine.computing();
  const bool writing = parts.output != nullptr && !parts.output->idle();
  const bool waiting = !parts.engine.idle() || parts.exchange.outstanding() || writing ||
                       (parts.coordinator != nullptr && parts.coordinator->writing());
  parts.watchdog.set_busy(computing ? Busy::computing : waiting ? Busy::waiting : Busy::nothing);
  parts.watchdog.set_stage(computing ? "computing" : "waiting for other ranks or the disk");
}

void refuse_silence(const LoopParts& parts, double timeout) {
  const int first = parts.coordinator != nullptr ? 1 : 0,
            last = parts.coordinator != nullptr ? parts.transport.size() : 1;
  for (int rank = first; rank < last; ++rank) {
    if (parts.exchange.seconds_since_heard_from(rank) < timeout) continue;
    throw Error(
        ExitCode::stopped_early,
        "rank " + std::to_string(rank) + " has been silent for " + std::to_string(static_cast<long>(timeout)) +
            " s (1.5 x limits.stall_timeout_seconds): stopped or cut off; run the same command again to resume");
  }
}

bool pass(LoopParts& parts) {
  bool active = parts.exchange.progress();
  while (auto unit = parts.exchange.next_unit()) parts.engine.submit(std::move(*unit));
  if (parts.exchange.recall_wanted()) parts.exchange.return_units(parts.engine.recall());
  say_what_is_in_hand(parts);  // on a CPU the engine runs its slices in here
  active = parts.engine.progress() || active;
  while (auto finished = parts.engine.take()) {
    parts.output != nullptr ? parts.output->submit(std::move(*finished)) : parts.exchange.offer(std::move(*finished));
  }
  while (auto saved = parts.output != nullptr ? parts.output->take() : std::nullopt) {
    parts.exchange.offer(std::move(*saved));
    active = true;
  }
  if (parts.coordinator != nullptr) active = parts.coordinator->progress() || active;
  if (signals::take_stop_request()) parts.exchange.ask_to_drain();
  return active;
}

}  // namespace

LoopReport run_loop(LoopParts parts, const LoopSettings& settings) {
  // Often enough that two lost intervals are far from a stall.
  const double interval = std::min(settings.interval_seconds, settings.stall_timeout_seconds / 4);
  const double start = steady_seconds();
  double before = start, next_interval = start, next_news = start;
  std::uint64_t tokens_told = 0;
  std::uint64_t done_before = 0;
  bool stopping = false;
  LoopReport report;
  while (!parts.exchange.finished()) {
    const bool idle = parts.engine.idle();
    const bool active = pass(parts);
    if (!active) std::this_thread::sleep_for(kIdleSleep);

    const double time = steady_seconds();
    (idle ? report.idle_seconds : report.busy_seconds) += time - before;
    if (active) report.longest_pass_seconds = std::max(report.longest_pass_seconds, time - before);
    before = time;
    const std::uint64_t done = work_done(parts);
    if (done != done_before) parts.watchdog.beat();
    done_before = done;
    say_what_is_in_hand(parts);
    if (settings.stop_at && time >= *settings.stop_at && !stopping) {
      stopping = true;
      log::warning("the time limit is near: finishing what has begun (limits.stop_before_seconds)");
      parts.exchange.ask_to_drain();
    }
    const std::uint64_t tokens = parts.engine.tokens_done();
    if (time >= next_interval || (time >= next_news && tokens != tokens_told)) {
      next_news = time + kNews;
      tokens_told = tokens;
      parts.exchange.send_pulse(tokens, parts.node ? parts.node() : "");
    }
    if (time >= next_interval) {
      next_interval = time + interval;
      refuse_silence(parts, kSilence * settings.stall_timeout_seconds);
    }
    if (parts.monitor) parts.monitor(time - start);
  }
  parts.engine.stop();
  while (!parts.engine.stopped()) {
    if (!parts.engine.progress()) std::this_thread::sleep_for(kIdleSleep);
  }
  report.code = parts.exchange.exit_code();
  report.seconds = steady_seconds() - start;
  return report;
}

}  // namespace trireme
