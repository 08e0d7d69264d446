#pragma once
// A model of a checkpoint folder on this CPU, and its six verbs in their order.

#include <memory>
#include <string>

#include "common/job.h"
#include "worker/models/model.h"

namespace trireme::test {

std::unique_ptr<Model> load(const Job& job, const std::string& family, at::ScalarType dtype);
void run_all(Slices& slices);
Result make(Model& model, const Item& item);

}  // namespace trireme::test
