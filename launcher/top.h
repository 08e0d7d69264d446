#pragma once
// trireme top RUN: how a run is getting on, from its status.json: replicas, nodes, GPUs, alerts. Redrawn on a terminal
// until the job has ended; printed once otherwise. Reads only, so it works from any machine that sees the folder.

#include <CLI/App.hpp>
#include <string>

#include "common/status.h"

namespace trireme {

/// The tables, without control sequences; "-" stands for what is not known.
std::string status_tables(const Status& status);

void add_top(CLI::App& app);

}  // namespace trireme
