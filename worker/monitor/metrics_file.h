#pragma once
// A job's status as Prometheus text, for node_exporter's textfile collector. GPU lines have the labels of
// dcgm-exporter (gpu, UUID, modelName, Hostname), so that they join. Rank 0.

#include <filesystem>
#include <string>

#include "common/status.h"

namespace trireme {

/// Text exposition format 0.0.4; what is not known has no line.
std::string prometheus_text(const Status& status);

/// Replaced as a whole. Throws Error as write_file does.
void write_metrics(const std::filesystem::path& file, const Status& status);

}  // namespace trireme
