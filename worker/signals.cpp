#include "worker/signals.h"

#include <csignal>

namespace trireme::signals {
namespace {

volatile std::sig_atomic_t stop_requested = 0;

}  // namespace

void install() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop_requested = 1; };
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, nullptr);
  sigaction(SIGUSR2, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // a closed terminal is no reason to lose a job
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond the user's limit is an error with a name
}

bool take_stop_request() {
  const bool requested = stop_requested != 0;
  stop_requested = 0;
  return requested;
}

}  // namespace trireme::signals
