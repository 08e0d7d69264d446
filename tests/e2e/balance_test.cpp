// How well real ranks share work of mixed sizes: the items of the fake family sleep as long as their prompts say.

#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <sstream>

#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

constexpr int kRanks = 4;

/// Three sizes in an order by chance, in the proportions of 512, 1024 and 1536 pixels.
std::vector<double> mixed_seconds() {
  constexpr double kSizes[] = {0.125, 0.45, 1.2};
  std::mt19937 random(1);
  std::vector<double> seconds;
  for (int i = 0; i < 40; ++i) seconds.push_back(kSizes[random() % 3]);
  return seconds;
}

/// `over_bound`: seconds of the job over those that its items took, shared by all ranks as if they could be cut at
/// will. A machine that is busy makes both longer.
struct Measured {
  double over_bound = 0, balance = 0;
};

class Balance : public JobTest {
 protected:
  Measured measure(const std::string& policy) {
    std::filesystem::remove_all(folder(policy));
    const Ended ended =
        run(worker(kRanks, policy, {"--set", "dispatch.policy=" + policy, "--set", "sampling.steps=4"}));
    EXPECT_EQ(ended.code, 0) << ended.output;
    double work = 0;
    std::istringstream lines(text_of(folder(policy) / "results.jsonl"));
    for (std::string line; std::getline(lines, line);) work += nlohmann::json::parse(line).at("seconds").get<double>();
    const auto summary = nlohmann::json::parse(text_of(folder(policy) / "summary.json"));
    return {summary.at("seconds").get<double>() / (work / kRanks), summary.at("balance")};
  }
};

}  // namespace

TEST_F(Balance, PredictiveEndsMixedSizesNearTheBoundAndWellBeforeRoundRobin) {
  std::string prompts;
  for (const double cost : mixed_seconds()) prompts += "picture cost=" + std::to_string(cost) + "\n";
  prepare(prompts);
  const Measured round_robin = measure("round_robin");
  // What else the machine does may hold up one rank and not the others: the best of three.
  Measured best{9, 0};
  for (int i = 0; i < 3 && (best.over_bound > 1.05 || best.balance < 0.97); ++i) {
    if (const Measured one = measure("predictive"); one.over_bound < best.over_bound) best = one;
  }
  EXPECT_LE(best.over_bound, 1.05);
  EXPECT_GE(best.balance, 0.97);
  EXPECT_LE(best.over_bound, 0.82 * round_robin.over_bound);
  std::printf("over the bound: predictive %.3f (balance %.3f), round_robin %.3f (balance %.3f)\n", best.over_bound,
              best.balance, round_robin.over_bound, round_robin.balance);
}

}  // namespace trireme::e2e
