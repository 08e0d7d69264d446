#pragma once
// What a rank's device was doing from when to when: for the bubble and the timeline.

#include <cstddef>
#include <cstdint>

#include "worker/models/model.h"

namespace trireme {

enum class SpanKind { wait, slot, encode, prefill, denoise, decode };
inline SpanKind span_of(Phase phase) { return static_cast<SpanKind>(static_cast<int>(phase) + 2); }

inline constexpr std::size_t kMostSpans = 100'000;  // of a rank: a job of days is not a timeline any more

struct Span {
  SpanKind kind = SpanKind::slot;
  std::uint64_t unit = 0;
  std::int64_t slot = -1;  // of the ring; -1: none
  int half = 0, pass = 0;  // of a slot
  double begin = 0, seconds = 0;
};

}  // namespace trireme
