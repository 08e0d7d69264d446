#pragma once
// Units and results of a small job: a function of script and number alone, so that every rank can tell what it should
// receive.

#include <vector>

#include "tests/worker/exchange/small_job.h"

namespace trireme::small_job {

Unit make_unit(const Script& script, std::uint64_t index);
/// One unit in `Script::failing` holds an error instead of tensors.
std::vector<Result> make_results(const Script& script, const Unit& unit, at::Device device);
bool equal(const Unit& a, const Unit& b);
bool equal(const Result& a, const Result& b);

}  // namespace trireme::small_job
