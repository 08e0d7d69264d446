#include "worker/engine/warm_up.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "worker/engine/whole_model.h"
#include "worker/models/fake/fake_model.h"
#include "worker/models/list.h"

namespace trireme {
namespace {

Unit unit(const std::string& prompt) {
  const Item item{.id = "a", .prompt = prompt, .seed = 3, .width = 8, .height = 8, .steps = 3, .guidance = 2};
  return {0, {item}, 1};
}

at::Tensor picture(Model& model, const std::string& prompt) {
  WholeModelEngine engine(model);
  engine.submit(unit(prompt));
  while (!engine.idle()) {
    engine.progress();
    if (auto finished = engine.take()) return finished->results.at(0).picture;
  }
  return {};
}

TEST(WarmUp, LeavesNothingBehind) {
  const Job job;
  const auto cold = make_fake_model({job, at::kCPU, at::kFloat}), warm = make_fake_model({job, at::kCPU, at::kFloat});
  warm_up(*warm, true, true, unit("another"));
  EXPECT_TRUE(at::equal(picture(*warm, "a prompt"), picture(*cold, "a prompt")));
}

TEST(WarmUp, NeedsNoOtherStage) {
  const Job job;
  for (int index = 0; index < 3; ++index) {
    const auto model = make_fake_model({job, at::kCPU, at::kFloat, {index, 3, {0, 2, 5, 8}}});
    EXPECT_NO_THROW(warm_up(*model, index == 0, index == 2, unit("a prompt")));
  }
}

TEST(WarmUp, DoesNotMindAUnitThatCanNotBeMade) {
  const Job job;
  const auto model = make_fake_model({job, at::kCPU, at::kFloat});
  EXPECT_NO_THROW(warm_up(*model, true, true, unit("fail")));
}

}  // namespace
}  // namespace trireme
