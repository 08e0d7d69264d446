#include "worker/engine/span_log.h"

#include "common/steady_clock.h"

namespace trireme {

void SpanLog::start() {
  if (started()) return;
  zero_.record(device_);
  zero_seconds_ = steady_seconds();
}

void SpanLog::add(const Span& span) {
  if (spans_.size() < kMostSpans) spans_.push_back(span);
}

void SpanLog::add(Phase phase, std::uint64_t unit, const device::Event& begin, const device::Event& end) {
  Span span{span_of(phase), unit};
  span.begin = seconds_at(begin);
  span.seconds = end.seconds_since(begin);
  add(span);
}

std::vector<Span> SpanLog::spans() const {
  std::vector<Span> spans = spans_;
  for (Span& span : spans) span.begin += zero_seconds_;
  return spans;
}

}  // namespace trireme
