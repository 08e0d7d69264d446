// The halves of guidance between processes, with a tiny NewBie-image and Z-Image: the bits of one rank, on the CPU and
// on GPUs.

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/worker/ranks_main.h"
#include "worker/engine/guidance_pair.h"
#include "worker/engine/whole_model.h"
#include "worker/models/load.h"
#include "worker/transport/list.h"

namespace trireme {
namespace {

constexpr std::size_t kUnits = 4;

/// With guidance, without, with guidance for some of the passes, and one that can't be made.
Unit make_unit(std::uint64_t index) {
  Item item;
  item.id = "item" + std::to_string(index);
  item.prompt = "a red fox";
  item.negative_prompt = "blurry";
  item.seed = index;
  item.width = index == 3 ? 47 : 48;
  item.height = 32;
  item.steps = 4;
  item.shift = 6;
  item.guidance = index == 1 ? 0 : 4;
  item.cfg_truncation = index == 2 ? 0.3 : 1;
  return {index, {item}};
}

/// Until `count` units have come out, or as many as there are.
std::vector<Finished> run_out(Engine& engine, std::size_t count) {
  std::vector<Finished> all;
  while (all.size() < count || !engine.idle()) {
    engine.progress();
    while (auto finished = engine.take()) all.push_back(std::move(*finished));
  }
  return all;
}

void expect_equal(const Finished& found, const Finished& expected) {
  const Result &mine = found.results.at(0), &other = expected.results.at(0);
  EXPECT_EQ(found.unit.index, expected.unit.index);
  EXPECT_EQ(mine.error, other.error);
  EXPECT_EQ(other.error.empty(), expected.unit.index != 3) << other.error;
  if (!other.error.empty()) return;
  EXPECT_TRUE(at::equal(mine.picture, other.picture)) << mine.id;
  EXPECT_TRUE(at::equal(mine.tensors.at("latents"), other.tensors.at("latents"))) << mine.id;
  EXPECT_TRUE(at::equal(mine.tensors.at("caption"), other.tensors.at("caption"))) << mine.id;
}

class GuidanceRanks : public testing::TestWithParam<const char*> {};

TEST_P(GuidanceRanks, GiveTheBitsOfOneRank) {
  const c10::InferenceMode inference;
  Transport& all = test::ranks_transport();
  const Layout layout = make_layout(all.size(), 1, 2);
  const std::unique_ptr<Transport> replica = make_replica_transport(all, layout, all.device());
  replica->warm_up(1 << 16, Pattern::all_pairs);
  Job job;
  job.model.path = std::filesystem::path(TRIREME_SOURCE_FOLDER) / "tests/golden" / GetParam();
  job.output.tensors = true;
  const at::ScalarType dtype = all.device().is_cuda() ? at::kBFloat16 : at::kFloat;
  const std::string family = std::string(GetParam()).starts_with("newbie") ? "newbie_image" : "z_image";
  const LoadedModel loaded = load_model({family, "", 0}, {job, all.device(), dtype}, all, [] {});

  const bool last = layout.place_of(all.rank()) == 1;
  std::vector<Finished> expected;
  if (last) {
    WholeModelEngine alone(*loaded.model);
    for (std::uint64_t i = 0; i < kUnits; ++i) alone.submit(make_unit(i));
    expected = run_out(alone, kUnits);
  }
  GuidancePairEngine engine(*loaded.model, *replica);
  for (std::uint64_t i = 0; !last && i < kUnits; ++i) engine.submit(make_unit(i));
  const std::vector<Finished> found = run_out(engine, last ? kUnits : 0);
  all.barrier();
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) expect_equal(found[i], expected[i]);
}

INSTANTIATE_TEST_SUITE_P(Models, GuidanceRanks, testing::Values("newbie_image", "z_image_base"));

}  // namespace
}  // namespace trireme
