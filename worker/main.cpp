// trireme-worker JOB.yaml: one rank of a job. Start here: main -> job_run -> loop -> coordinator -> exchange -> engine
// -> model.h.

#include <exception>
#include <optional>

#include "common/files.h"
#include "common/host.h"
#include "common/start_up.h"
#include "common/steady_clock.h"
#include "worker/arguments.h"
#include "worker/doctor/doctor.h"
#include "worker/fatal.h"
#include "worker/job_run.h"
#include "worker/signals.h"
#include "worker/transport/launch.h"

int main(int argc, char** argv) {
  using namespace trireme;
  StartUp start_up(steady_seconds(), process_age_seconds());
  fill_standard_streams();
  int code = 0;
  const auto arguments = read_arguments(argc, argv, code);
  if (!arguments) return code;
  signals::install();

  std::optional<MpiSession> session;  // ends last: a fatal error needs MPI to end the others
  Launch launch;
  try {
    session.emplace(arguments->allow_singleton);
    launch = session->launch();
    start_up.done("MPI", steady_seconds());
    return static_cast<int>(arguments->doctor ? run_doctor(*arguments, launch) : run_job(*arguments, launch, start_up));
  } catch (const Error& e) {
    die(launch, e.code(), e.what());
  } catch (const std::exception& e) {
    die(launch, ExitCode::internal, e.what());
  }
}
