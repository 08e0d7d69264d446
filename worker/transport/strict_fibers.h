#pragma once
// Tests only. Several bodies of code on one thread, each with its own stack, that run until they yield: ranks of one
// process, in an order that a seed decides. A body must not yield inside a catch block or a destructor.

#include <ucontext.h>

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <vector>

namespace trireme::strict {

class Fibers {
 public:
  explicit Fibers(std::size_t count, std::function<void(std::size_t)> body);
  /// Unwinds the bodies that have not ended.
  ~Fibers();
  Fibers(const Fibers&) = delete;

  std::size_t count() const { return fibers_.size(); }
  bool ended(std::size_t fiber) const { return fibers_[fiber].ended; }
  /// Runs it until it yields or ends. Throws what the body throws.
  void resume(std::size_t fiber);
  /// Called by a body: gives the turn back.
  void yield();

 private:
  struct Fiber {
    std::unique_ptr<std::byte[]> stack;
    ucontext_t context{};
    std::exception_ptr failure;
    bool begun = false, ended = false;
  };
  struct Unwound {};  // thrown by `yield` to end a body
  void prepare(Fiber& fiber);
  static void enter(unsigned high, unsigned low);
  void run(Fiber& fiber);

  std::function<void(std::size_t)> body_;
  std::vector<Fiber> fibers_;
  ucontext_t scheduler_{};
  std::size_t current_ = 0;
  bool unwinding_ = false;
};

}  // namespace trireme::strict
