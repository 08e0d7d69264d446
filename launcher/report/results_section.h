#pragma once
// What a run made: pictures or answers, and what went wrong.

#include <cstddef>
#include <vector>

#include "launcher/report/document.h"
#include "launcher/report/run_record.h"

namespace trireme::report {

/// The first `most` items: thumbnails, or texts.
Section results_section(const RunRecord& run, std::size_t most);

/// Failed and degraded items with reasons.
Section trouble_section(const RunRecord& run);

/// Items that all runs have, side by side: a row an item. Nothing to show: no blocks.
Section side_by_side_section(const std::vector<RunRecord>& runs, std::size_t most);

}  // namespace trireme::report
