// How well real ranks share work of mixed sizes: the items of the fake family sleep as long as their prompts say.

#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <sstream>

#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

/// Ten items a rank, of three sizes in the proportions of 512, 1024 and 1536 pixels, in an order by chance.
std::vector<double> mixed_seconds(int ranks) {
  constexpr double kSizes[] = {0.125, 0.45, 1.2};
  std::mt19937 random(1);
  std::vector<double> seconds;
  for (int i = 0; i < 10 * ranks; ++i) seconds.push_back(kSizes[random() % 3]);
  return seconds;
}

/// `over_bound`: seconds of the job over those that its items took, shared by all ranks as if they could be cut at
/// will. A machine that is busy makes both longer.
struct Measured {
  double over_bound = 0, balance = 0;
};

class Balance : public JobTest, public testing::WithParamInterface<int> {
 protected:
  Measured measure(const std::vector<std::string>& more) {
    std::filesystem::remove_all(folder("run"));
    const Ended ended = run(worker(GetParam(), "run", more));
    EXPECT_EQ(ended.code, 0) << ended.output;
    double work = 0;
    std::istringstream lines(text_of(folder("run") / "results.jsonl"));
    for (std::string line; std::getline(lines, line);) work += nlohmann::json::parse(line).at("seconds").get<double>();
    const auto summary = nlohmann::json::parse(text_of(folder("run") / "summary.json"));
    return {summary.at("seconds").get<double>() / (work / GetParam()), summary.at("balance")};
  }
};

}  // namespace

TEST_P(Balance, OfMixedSizesIsNearTheBoundAndWellBeforeRoundRobin) {
  std::string prompts;
  for (const double cost : mixed_seconds(GetParam())) prompts += "picture cost=" + std::to_string(cost) + "\n";
  prepare(prompts);
  const Measured round_robin = measure({"--set", "sampling.steps=4", "--set", "dispatch.policy=round_robin"});
  // What else the machine does may hold up one rank and not the others: the best of four.
  Measured best{9, 0};
  for (int i = 0; i < 4 && (best.over_bound > 1.05 || best.balance < 0.97); ++i) {
    if (const Measured one = measure({"--set", "sampling.steps=4"}); one.over_bound < best.over_bound) best = one;
  }
  EXPECT_LE(best.over_bound, 1.05);
  EXPECT_GE(best.balance, 0.97);
  if (GetParam() > 2) {
    EXPECT_LE(best.over_bound, 0.82 * round_robin.over_bound);
  }
  std::printf("%d ranks, over the bound: predictive %.3f (balance %.3f), round_robin %.3f (balance %.3f)\n", GetParam(),
              best.over_bound, best.balance, round_robin.over_bound, round_robin.balance);
}

INSTANTIATE_TEST_SUITE_P(Ranks, Balance, testing::Values(2, 4, 8));

}  // namespace trireme::e2e
