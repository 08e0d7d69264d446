// What each policy makes of a queue, on a virtual clock and through the worker's own dispatcher: 8 to 1024 replicas.
// Seconds and sizes are those of Z-Image-Turbo on an H200 (docs/performance.md); the replicas are simulated.

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <random>

#include "tests/worker/dispatch/virtual_cluster.h"

namespace {

using namespace trireme;
using virtual_cluster::Scenario;

constexpr double k512 = 0.25, k1024 = 0.91, k1536 = 2.4;  // seconds a picture

struct Options {
  int units_a_replica = 8, seeds = 5;
  std::vector<int> replicas{8, 64, 256, 1024};
};

using Make = Scenario (*)(int replicas, int units, std::mt19937& random);

double uniform(std::mt19937& random) { return std::uniform_real_distribution<double>(0, 1)(random); }

/// Real seconds differ a little from what the sizes say.
double jitter(std::mt19937& random) { return 0.98 + 0.04 * uniform(random); }

void add_picture(Scenario& scenario, double seconds, std::mt19937& random) {
  scenario.predicted.push_back({0.8 * seconds, 0, 0});  // a cost model that is off by a fifth
  scenario.work.push_back(seconds * jitter(random));
}

Scenario equal(int replicas, int units, std::mt19937& random) {
  Scenario scenario;
  scenario.replicas = replicas;
  for (int i = 0; i < units; ++i) add_picture(scenario, k1024, random);
  return scenario;
}

Scenario mixed(int replicas, int units, std::mt19937& random) {
  Scenario scenario;
  scenario.replicas = replicas;
  constexpr double kSizes[] = {k512, k1024, k1536};
  for (int i = 0; i < units; ++i) add_picture(scenario, kSizes[random() % 3], random);
  return scenario;
}

/// Answers of 10 to 512 tokens, most of them short; only the limit is known.
Scenario texts(int replicas, int units, std::mt19937& random) {
  Scenario scenario;
  scenario.replicas = replicas;
  constexpr double kPrompt = 0.1, kToken = 0.007, kMost = 512;
  for (int i = 0; i < units; ++i) {
    const double tokens = std::clamp(std::exp(std::normal_distribution<double>(4.5, 0.9)(random)), 10.0, kMost);
    scenario.predicted.push_back({0.8 * kPrompt, 0.8 * kToken, kMost});
    scenario.tokens.push_back(tokens);
    scenario.work.push_back((kPrompt + kToken * tokens) * jitter(random));
  }
  return scenario;
}

Scenario two_slow(int replicas, int units, std::mt19937& random) {
  Scenario scenario = mixed(replicas, units, random);
  scenario.speed = [](int r, double) { return r % 8 < 2 ? 0.5 : 1.0; };
  return scenario;
}

Scenario slows_down(int replicas, int units, std::mt19937& random) {
  Scenario scenario = mixed(replicas, units, random);
  const double midway = virtual_cluster::lower_bound(scenario) / 2;
  scenario.changes = {midway};
  scenario.speed = [midway](int r, double time) { return r % 8 == 3 && time >= midway ? 1.0 / 3 : 1.0; };
  return scenario;
}

struct Kind {
  const char* name;
  Make make;
};
constexpr Kind kKinds[] = {{"equal pictures", equal},
                           {"three sizes mixed", mixed},
                           {"answers of unknown length", texts},
                           {"mixed, 2 of 8 at half speed", two_slow},
                           {"mixed, 1 of 8 at a third midway", slows_down}};
constexpr const char* kPolicies[] = {"static", "round_robin", "least_loaded", "weighted", "predictive"};

void measure(const Options& options, const Kind& kind, int replicas) {
  std::printf("| %s | %d | %d |", kind.name, replicas, replicas * options.units_a_replica);
  for (const char* policy : kPolicies) {
    double ratio = 0, worst = 0, balance = 0;
    for (int seed = 0; seed < options.seeds; ++seed) {
      std::mt19937 random(static_cast<unsigned>(seed));
      Scenario scenario = kind.make(replicas, replicas * options.units_a_replica, random);
      scenario.dispatch.policy = policy;
      const auto outcome = virtual_cluster::run(scenario);
      const double over = outcome.makespan / virtual_cluster::lower_bound(scenario);
      ratio += over / options.seeds;
      worst = std::max(worst, over);
      balance += outcome.balance() / options.seeds;
    }
    std::printf(" %.3f (%.3f) / %.3f |", ratio, worst, balance);
  }
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("makespan over lower bound, and balance, of each policy on simulated replicas");
  app.add_option("--replicas", options.replicas, "as many each")->delimiter(',')->capture_default_str();
  app.add_option("--units", options.units_a_replica, "a replica")->capture_default_str();
  app.add_option("--seeds", options.seeds, "runs of each")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  std::printf("Makespan over lower bound, mean (worst) of %d runs / balance (mean over maximum of busy seconds)\n\n",
              options.seeds);
  std::printf("| work | replicas | units |");
  for (const char* policy : kPolicies) std::printf(" %s |", policy);
  std::printf("\n|---|---:|---:|---:|---:|---:|---:|---:|\n");
  for (const Kind& kind : kKinds) {
    for (const int replicas : options.replicas) measure(options, kind, replicas);
  }
  return 0;
}
