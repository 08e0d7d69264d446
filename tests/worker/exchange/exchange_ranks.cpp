// The exchange between processes: mpirun -n N exchange_ranks --transport mpi|nccl|self [--jobs N] [--refills N]
//   --jobs     small random jobs one after the other, the schedules of exchange_test (default 100)
//   --refills  then one job of so many units, with recalls, a tiny pool and, on GPUs, matrix products all the time
// Prints one line for each; any unit lost, doubled or changed ends all ranks with a message.

#include <CLI/CLI.hpp>
#include <cstdio>

#include "common/steady_clock.h"
#include "tests/worker/exchange/on_ranks.h"
#include "tests/worker/exchange/small_job.h"

namespace trireme {
namespace {

void random_jobs(Transport& transport, at::Device device, int jobs) {
  small_job::Report sum;
  const double start = steady_seconds();
  for (int seed = 0; seed < jobs; ++seed) {
    const small_job::Script script = small_job::random_script(static_cast<std::uint64_t>(seed), transport.size());
    const small_job::Report report = small_job::run({transport}, script, device, on_ranks::nap);
    sum.delivered += report.delivered;
    sum.returned += report.returned;
    sum.left_over += report.left_over;
  }
  if (transport.rank() != 0) return;
  std::printf("%d random jobs over %s on %d ranks: %d units delivered, %d returned, %d not handed out, %.1f s\n", jobs,
              transport.carrier(), transport.size(), sum.delivered, sum.returned, sum.left_over,
              steady_seconds() - start);
}

void stress(Transport& transport, at::Device device, int refills) {
  small_job::Script script;
  script.seed = 20;
  script.units = refills;
  script.largest_side = 300;
  script.longest_prompt = 2000;
  script.longest_compute = device.is_cuda() ? 0 : 3;
  script.matrix_products = 20;
  script.slow_writers = 5;
  script.recalls = 200;
  script.pool_bytes = 2u << 20;
  const Traffic before = transport.traffic();
  const double start = steady_seconds();
  const small_job::Report report = small_job::run({transport}, script, device, on_ranks::nap);
  const double seconds = steady_seconds() - start;
  if (transport.rank() != 0) return;
  const Traffic after = transport.traffic();
  std::printf(
      "%d refills and gathers over %s on %d ranks (%s): %d delivered, %d returned, %.1f s, rank 0 sent %.1f MB by %s "
      "and "
      "%.2f MB of control, longest pass %.1f ms\n",
      refills, transport.carrier(), transport.size(), device.is_cuda() ? "matrix products beside" : "no other load",
      report.delivered, report.returned, seconds,
      static_cast<double>(after.carrier_bytes - before.carrier_bytes) * 1e-6, transport.carrier(),
      static_cast<double>(after.control_bytes - before.control_bytes) * 1e-6, report.longest_pass_seconds * 1e3);
}

}  // namespace
}  // namespace trireme

int main(int argc, char** argv) {
  CLI::App app("the exchange between processes");
  std::string transport = "mpi";
  int jobs = 100, refills = 0;
  app.add_option("--transport", transport, "self, mpi or nccl");
  app.add_option("--jobs", jobs, "small random jobs");
  app.add_option("--refills", refills, "units of one long job under load");
  CLI11_PARSE(app, argc, argv);
  return trireme::on_ranks::run(transport, [&](trireme::Transport& carrier, at::Device device) {
    if (jobs > 0) trireme::random_jobs(carrier, device, jobs);
    if (refills > 0) trireme::stress(carrier, device, refills);
  });
}
