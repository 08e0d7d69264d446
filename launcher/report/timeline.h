#pragma once
// Who did what when, as a figure: from the trace where there is one, else from the journal.

#include <optional>

#include "launcher/report/document.h"
#include "launcher/report/run_record.h"

namespace trireme::report {

/// Nothing when no item says when it was finished and there is no trace.
std::optional<Section> timeline_section(const RunRecord& run);

}  // namespace trireme::report
