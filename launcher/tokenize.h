#pragma once
// trireme tokenize MODEL FILE: ids of the text alone and the text they decode to, on stdout and nothing else.

#include <CLI/App.hpp>

namespace trireme {

/// Adds the subcommand. Running it throws ConfigError: input_missing for MODEL or FILE, bad_data with file:line.
void add_tokenize(CLI::App& app);

}  // namespace trireme
