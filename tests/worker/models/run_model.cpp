#include "tests/worker/models/run_model.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "worker/models/load.h"
#include "worker/transport/self_transport.h"

namespace trireme::test {

std::unique_ptr<Model> load(const Job& job, const std::string& family, at::ScalarType dtype) {
  SelfTransport transport(at::kCPU);
  return load_model({family, "", 0}, {job, at::kCPU, dtype}, transport, [] {}).model;
}

void run_all(Slices& slices) {
  for (const Slice& slice : slices) slice.run();
  slices.clear();
}

Result make(Model& model, const Item& item) {
  Slices slices;
  const std::unique_ptr<Session> session = model.begin({.items = {item}}, slices);
  run_all(slices);
  while (!session->done()) {
    for (int half = 0; half < session->halves; ++half) {
      model.enter(*session, half, slices);
      model.layers(*session, half, {0, model.layer_count()}, slices);
      model.leave(*session, half, slices);
    }
    run_all(slices);
    model.advance(*session, slices);
    run_all(slices);
  }
  std::vector<Result> results;
  model.finish(*session, slices, results);
  run_all(slices);
  EXPECT_EQ(results.size(), 1u);
  return results.at(0);
}

}  // namespace trireme::test
