#pragma once
// trireme doctor [JOB]: starts the ranks as `trireme run` would and lets each look around instead of working.

#include <CLI/App.hpp>

namespace trireme {

void add_doctor(CLI::App& app);

}  // namespace trireme
