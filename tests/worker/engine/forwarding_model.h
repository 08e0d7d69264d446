#pragma once
// A whole model that hands every verb on to another one, for tests to override some of them.

#include <memory>
#include <utility>
#include <vector>

#include "worker/models/model.h"

namespace trireme {

class ForwardingModel : public Model {
 public:
  explicit ForwardingModel(std::unique_ptr<Model> to) : to_(std::move(to)) {}

  at::Device device() const override { return to_->device(); }
  int layer_count() const override { return to_->layer_count(); }
  std::unique_ptr<Session> begin(const Unit& unit, Slices& slices) override { return to_->begin(unit, slices); }
  void enter(Session& session, int half, Slices& slices) override { to_->enter(session, half, slices); }
  void layers(Session& session, int half, Layers range, Slices& slices) override {
    to_->layers(session, half, range, slices);
  }
  void leave(Session& session, int half, Slices& slices) override { to_->leave(session, half, slices); }
  void advance(Session& session, Slices& slices) override { to_->advance(session, slices); }
  void finish(Session& session, Slices& slices, std::vector<Result>& results) override {
    to_->finish(session, slices, results);
  }

 private:
  std::unique_ptr<Model> to_;
};

}  // namespace trireme
