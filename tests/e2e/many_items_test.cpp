// What a long input costs rank 0: the memory of ten thousand items beside that of a few.

#include <nlohmann/json.hpp>

#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

class ManyItems : public JobTest {
 protected:
  /// Peak memory of rank 0's process, MiB. Prompts are as long as people's.
  double peak_of_rank_zero(int count) {
    std::string prompts;
    for (int i = 0; i < count; ++i) {
      prompts += "picture " + std::to_string(i) +
                 " of a lighthouse on a cliff above a stormy sea, oil painting, warm colours and soft evening light\n";
    }
    prepare(prompts);
    const std::string name = std::to_string(count);
    const Ended ended = run(worker(2, name, {"--set", "output.tensors=false", "--set", "sampling.steps=1"}), 150);
    EXPECT_EQ(ended.code, 0) << ended.output;
    EXPECT_EQ(results(name), static_cast<std::size_t>(count));
    const auto summary = nlohmann::json::parse(text_of(folder(name) / "summary.json"));
    return summary.at("ranks").at(0).at("peak_memory_bytes").get<double>() / (1 << 20);
  }
};

}  // namespace

TEST_F(ManyItems, TenThousandAddNoMoreThan64MebibytesToRankZero) {
  const double few = peak_of_rank_zero(100), many = peak_of_rank_zero(10'000);
  std::printf("rank 0: %.0f MiB with 100 items, %.0f MiB with 10 000\n", few, many);
  EXPECT_LE(many - few, 64);
}

}  // namespace trireme::e2e
