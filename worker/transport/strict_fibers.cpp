#include "worker/transport/strict_fibers.h"

#include <cstdint>
#include <utility>

namespace trireme::strict {
namespace {

constexpr std::size_t kStackBytes = 1u << 20;  // reserved, not touched: a fiber uses a few dozen KiB

}  // namespace

Fibers::Fibers(std::size_t count, std::function<void(std::size_t)> body) : body_(std::move(body)), fibers_(count) {
  for (Fiber& fiber : fibers_) prepare(fiber);
}

void Fibers::prepare(Fiber& fiber) {
  fiber.stack = std::make_unique_for_overwrite<std::byte[]>(kStackBytes);
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack.get();
  fiber.context.uc_stack.ss_size = kStackBytes;
  fiber.context.uc_link = &scheduler_;
  const auto self = reinterpret_cast<std::uintptr_t>(this);  // makecontext passes ints
  makecontext(&fiber.context, reinterpret_cast<void (*)()>(&Fibers::enter), 2, static_cast<unsigned>(self >> 32),
              static_cast<unsigned>(self));
}

Fibers::~Fibers() {
  unwinding_ = true;
  for (current_ = 0; current_ < fibers_.size(); ++current_) {
    Fiber& fiber = fibers_[current_];
    if (fiber.begun && !fiber.ended) swapcontext(&scheduler_, &fiber.context);
  }
}

void Fibers::enter(unsigned high, unsigned low) {
  auto* fibers = reinterpret_cast<Fibers*>(std::uintptr_t{high} << 32 | low);
  fibers->run(fibers->fibers_[fibers->current_]);
}

void Fibers::run(Fiber& fiber) {
  try {
    body_(current_);
  } catch (const Unwound&) {
  } catch (...) {
    fiber.failure = std::current_exception();
  }
  fiber.ended = true;
}

void Fibers::resume(std::size_t index) {
  current_ = index;
  Fiber& fiber = fibers_[index];
  fiber.begun = true;
  swapcontext(&scheduler_, &fiber.context);
  if (fiber.failure) std::rethrow_exception(std::exchange(fiber.failure, nullptr));
}

void Fibers::yield() {
  swapcontext(&fibers_[current_].context, &scheduler_);
  if (unwinding_) throw Unwound{};
}

}  // namespace trireme::strict
