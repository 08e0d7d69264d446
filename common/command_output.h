#pragma once
// What another program prints, such as Slurm's tools: for a few questions at the start of a job. Not in the loop, and
// not from a process that has opened a GPU.

#include <optional>
#include <string>
#include <vector>

namespace trireme {

/// Standard output of the program, run with a limit of 10 s. Nothing when it is not there, fails or does not end in
/// time.
std::optional<std::string> output_of(const std::vector<std::string>& words);

/// True when an executable of that name is in a folder of PATH.
bool on_path(const std::string& program);

/// A word as a shell takes it, quoted where needed.
std::string shell_word(const std::string& word);

}  // namespace trireme
