#pragma once
// Several runs side by side: one table, how they scale, what each lost.

#include <cstddef>
#include <optional>
#include <vector>

#include "launcher/report/document.h"
#include "launcher/report/run_record.h"

namespace trireme::report {

/// Throughput a rank over that of the runs with fewest ranks, one value a run; nothing where it is not known.
std::vector<std::optional<double>> efficiencies(const std::vector<RunRecord>& runs);

/// Two runs or more.
Chapter comparison_chapter(const std::vector<RunRecord>& runs, std::size_t items);

}  // namespace trireme::report
