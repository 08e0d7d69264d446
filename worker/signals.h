#pragma once
// USR1 and USR2 ask a job to stop soon: what has begun is finished, then it ends with 75. mpirun passes both on to
// every rank; one rank's signal is enough.

namespace trireme::signals {

/// Once, at the start of the process.
void install();
/// True once for each time the signal came since the last call.
bool take_stop_request();

}  // namespace trireme::signals
