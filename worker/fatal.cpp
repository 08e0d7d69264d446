#include "worker/fatal.h"

#include <chrono>
#include <thread>

#include "common/log.h"
#include "common/rank_log_marker.h"

namespace trireme {
namespace {

bool users_mistake(ExitCode code) {
  switch (code) {
    case ExitCode::usage:
    case ExitCode::bad_data:
    case ExitCode::input_missing:
    case ExitCode::cannot_create:
    case ExitCode::config: return true;
    default: return false;
  }
}

}  // namespace

void die(const Launch& launch, ExitCode code, const std::string& cause) {
  if (users_mistake(code)) {
    // All ranks meet it alike: rank 0 tells, the others give it the time to.
    if (launch.rank == 0) {
      log::error(cause);
    } else {
      std::this_thread::sleep_for(std::chrono::seconds(3));
      log::error(cause, {{"rank", launch.rank}, {"host", launch.host}});  // rank 0 has not met it
    }
  } else {
    log::error(cause, {{"rank", launch.rank}, {"host", launch.host}, {"exit", static_cast<int>(code)}});
  }
  log::flush();
  rank_log::end(rank_log::ending_of(code));
  abort_job(code);
}

}  // namespace trireme
