#pragma once
// An engine that keeps several units under way, and for those of them for which memory was short a second try: when
// the first engine has nothing left in hand and the unused memory has been freed, they go one by one through an engine
// of their own, whose settings say what is done if that does not suffice.

#include <deque>
#include <map>
#include <memory>

#include "worker/engine/whole_model.h"
#include "worker/queue.h"

namespace trireme {

class SecondTryEngine final : public Engine {
 public:
  SecondTryEngine(std::unique_ptr<Engine> first, Model& model, WholeModelEngine::Settings second);

  void submit(Unit unit) override;
  std::vector<Unit> recall() override;
  bool progress() override;
  std::optional<Finished> take() override { return take_first(finished_); }
  bool idle() const override;
  bool computing() const override { return first_->computing() || !second_.idle(); }
  std::uint64_t slices_done() const override { return first_->slices_done() + second_.slices_done(); }
  std::uint64_t tokens_done() const override { return first_->tokens_done() + second_.tokens_done(); }
  PhaseSeconds seconds() const override;
  std::vector<Span> spans() const override;

 private:
  void sort_out(Finished finished);

  Model& model_;
  std::unique_ptr<Engine> first_;
  WholeModelEngine second_;
  std::map<std::uint64_t, Unit> held_;  // by the first engine, by index
  std::deque<Unit> waiting_;            // until the second tries are over
  std::deque<Unit> short_;              // to be tried again
  std::deque<Finished> finished_;
};

}  // namespace trireme
