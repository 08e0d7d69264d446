#include "common/errors.h"

namespace trireme {

const char* explain(ExitCode code) {
  switch (code) {
    case ExitCode::ok: return "done";
    case ExitCode::some_items_failed: return "done, but some items failed; results.jsonl names them and why";
    case ExitCode::usage: return "wrong usage of the command line; see --help";
    case ExitCode::bad_data: return "bad data in the prompts or the checkpoint; the message names the place";
    case ExitCode::input_missing: return "an input file or folder is missing";
    case ExitCode::unavailable: return "a GPU, NCCL or the launcher is unavailable";
    case ExitCode::internal: return "an internal error; please report it with the rank logs";
    case ExitCode::cannot_create: return "the output can't be created";
    case ExitCode::io_error: return "reading or writing failed; is the disk full?";
    case ExitCode::stopped_early: return "stopped early; run the same command again to resume";
    case ExitCode::config: return "the job file or the launch is wrong; the message names the key";
  }
  return "not a code of this program";
}

}  // namespace trireme
