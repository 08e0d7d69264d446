// What the monitor's questions to the driver cost: processor time of the asking thread, the first time and after that.
//   nvml_bench [--times 200]

#include <CLI/CLI.hpp>
#include <cstdio>

#include "worker/monitor/nvml.h"

int main(int argc, char** argv) {
  using namespace trireme;
  CLI::App app("processor time of the monitor's questions to the driver");
  int times = 200;
  app.add_option("--times", times, "repetitions of each")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);

  const auto nvml = Nvml::open();
  if (!nvml) {
    std::fprintf(stderr, "no GPU driver answers here (libnvidia-ml.so.1)\n");
    return 69;
  }
  std::printf("%4s %-12s %10s %10s\n", "gpu", "question", "first ms", "again ms");
  double first = 0, again = 0;
  for (const Nvml::Cost& cost : nvml->costs(times)) {
    std::printf("%4d %-12s %10.3f %10.3f\n", cost.gpu, cost.question, 1e3 * cost.first, 1e3 * cost.again);
    first += cost.first, again += cost.again;
  }
  std::printf("%4s %-12s %10.3f %10.3f\n", "all", "a sample", 1e3 * first, 1e3 * again);
}
