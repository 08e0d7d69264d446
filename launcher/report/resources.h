#pragma once
// Nodes and GPUs over time, what they used, and what a person should have looked at.

#include <optional>

#include "launcher/report/document.h"
#include "launcher/report/run_record.h"

namespace trireme::report {

/// Curves and means of each GPU and node, and energy.
Section resources_section(const RunRecord& run);

Section alerts_section(const RunRecord& run);

/// Nothing when no GPU of the job's ranks said what it used.
std::optional<double> joules_per_item(const RunRecord& run);

}  // namespace trireme::report
