#include "worker/engine/warm_up.h"

#include <ATen/ATen.h>

#include "worker/device.h"
#include "worker/engine/unit_work.h"

namespace trireme {
namespace {

void run(Slices& slices) {
  for (const Slice& slice : slices) slice.run();
  slices.clear();
}

void one_pass(Model& model, bool first, bool last, const Unit& unit) {
  Slices slices;
  const std::unique_ptr<Session> session = model.begin(unit, slices);
  run(slices);
  const auto zeros = [&](const TensorShape& shape) {
    return at::zeros(shape.sizes, at::TensorOptions(shape.dtype).device(model.device()));
  };
  for (int half = 0; half < session->halves; ++half) {
    if (first) {
      model.enter(*session, half, slices);
    } else {
      const Crossing crossing = model.crossing(*session, half);
      session->hidden = zeros(crossing.hidden);
      session->side.clear();
      for (const TensorShape& shape : crossing.side) session->side.push_back(zeros(shape));
    }
    model.layers(*session, half, model.own_layers(), slices);
    if (last) model.leave(*session, half, slices);
    run(slices);
  }
  if (last) {
    model.advance(*session, slices);
    run(slices);
  } else if (model.finishes_anywhere()) {
    session->state = zeros(model.crossing(*session, 0).state);
  } else {
    return;
  }
  std::vector<Result> results;
  model.finish(*session, slices, results);
  run(slices);
}

}  // namespace

void warm_up(Model& model, bool first, bool last, const Unit& unit) {
  failure_of([&] { one_pass(model, first, last, unit); });
  device::synchronize(model.device());
}

}  // namespace trireme
