#pragma once
// One run as a chapter: what it made, how fast, where the time went, on what, and what went wrong.

#include <cstddef>

#include "launcher/report/document.h"
#include "launcher/report/run_record.h"

namespace trireme::report {

/// `items`: pictures or answers to show at most; 0: none.
Chapter run_chapter(const RunRecord& run, std::size_t items);

/// "ended with code 0", "has not ended by itself …"
std::string how_it_ended(const RunRecord& run);
/// Items or tokens of the last job a second; nothing when not known.
std::optional<double> throughput(const RunRecord& run);
/// "images/s", "tokens/s"
const char* throughput_unit(const RunRecord& run);

}  // namespace trireme::report
