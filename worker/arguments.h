#pragma once
// The command line of trireme-worker.

#include <optional>
#include <string>
#include <vector>

namespace trireme {

struct Arguments {
  std::string job;
  std::vector<std::string> overrides;  // --set a.b=c
  std::string shard;                   // --shard i/n
  std::string progress = "auto";       // auto | bar | lines | none
  bool doctor = false, json = false;   // look at the launch instead of working; as JSON
  bool fresh = false;                  // start over
  bool trace = false;                  // write the timeline of the job
  bool dry_run = false;                // check everything that can be checked without loading the model
  bool allow_singleton = false;        // N independent jobs of one rank are wanted
};

/// Nothing when the program should end with `exit_code`: help or version was printed, or the usage was wrong (64).
std::optional<Arguments> read_arguments(int argc, char** argv, int& exit_code);

}  // namespace trireme
