#pragma once
// Where the time of a job went, in plain words: the numbers are those of time_account.h. Pure.

#include <string>
#include <vector>

#include "launcher/report/run_record.h"

namespace trireme::report {

/// Sentences, the most important one first: what took the time, and what could be done about it.
std::vector<std::string> where_the_time_went(const RunRecord& run);

}  // namespace trireme::report
