#include "worker/engine/unit_work.h"

#include <c10/util/Exception.h>

#include <algorithm>

#include "common/errors.h"

namespace trireme {
namespace {

constexpr std::string_view kShortage = "oom: ";
constexpr std::size_t kMostOfAReason = 300;  // bytes

}  // namespace

void PhaseClock::enter(Phase phase) {
  if (!marks_.empty() && marks_.back().phase == phase) return;
  marks_.push_back({phase, {}});
  marks_.back().start.record(device_);
}

void PhaseClock::end() {
  end_.record(device_);
  closed_ = true;
}

PhaseSeconds PhaseClock::seconds() const {
  PhaseSeconds seconds{};
  for_each([&](Phase phase, const device::Event& begin, const device::Event& end) {
    seconds[static_cast<std::size_t>(phase)] += end.seconds_since(begin);
  });
  return seconds;
}

void PhaseClock::for_each(const std::function<void(Phase, const device::Event&, const device::Event&)>& visit) const {
  for (std::size_t i = 0; i < marks_.size(); ++i) {
    visit(marks_[i].phase, marks_[i].start, i + 1 < marks_.size() ? marks_[i + 1].start : end_);
  }
}

void plan_half(Model& model, Session& session, int half, Slices& slices) {
  model.enter(session, half, slices);
  model.layers(session, half, {0, model.layer_count()}, slices);
  model.leave(session, half, slices);
}

void plan_pass(Model& model, Session& session, Slices& slices) {
  for (int half = 0; half < session.halves; ++half) plan_half(model, session, half, slices);
  model.advance(session, slices);
}

std::optional<std::string> memory_shortage(const std::exception& error) {
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  if (torch == nullptr) return std::nullopt;
  const std::string why = torch->what_without_backtrace();
  const bool short_of_it = dynamic_cast<const c10::OutOfMemoryError*>(torch) != nullptr ||
                           why.find("CUDA error: out of memory") != std::string::npos ||
                           why.find("STATUS_ALLOC_FAILED") != std::string::npos;  // of cuBLAS and cuDNN
  return short_of_it ? std::optional(why) : std::nullopt;
}

std::string shortage_text(const std::string& why) {
  std::string text(kShortage);
  text += "out of device memory; lower the size, max_new_tokens or dispatch.batch, or set memory.offload, ";
  text += "memory.vae_tiling: true or memory.on_oom: degrade (";
  return text + why.substr(0, std::min(why.find('\n'), kMostOfAReason)) + ")";
}

bool tells_of_shortage(const std::string& error) { return error.starts_with(kShortage); }

std::optional<std::string> failure_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const ItemError& e) {
    return e.what();
  } catch (const std::exception& e) {
    const auto shortage = memory_shortage(e);
    if (!shortage) throw;
    return shortage_text(*shortage);
  }
  return std::nullopt;
}

}  // namespace trireme
