// memory.offload: the same bits as with all weights on the device, for every family, alone and with units that share
// the visits of their layers.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/worker/golden.h"
#include "tests/worker/models/qwen2_5_vl_golden.h"
#include "tests/worker/models/run_model.h"
#include "worker/engine/whole_model.h"

namespace trireme {
namespace {

struct Case {
  const char* family;
  const char* folder;
  at::ScalarType dtype;
};

std::filesystem::path folder_of(const Case& c) {
  const std::filesystem::path golden = test::golden_folder() / c.folder;
  return std::filesystem::exists(golden) ? golden : test::source_folder() / "models" / c.folder;
}

std::vector<Unit> units_of(const Case& c) {
  std::vector<Unit> units;
  if (std::string(c.family) == "qwen2_5_vl") {
    Unit& unit = units.emplace_back();
    const test::QwenGolden golden(c.folder);
    for (const auto& answer : golden.cases.at("answers")) {
      if (unit.items.size() < 3) unit.items.push_back(test::text_item(answer));
    }
    return units;
  }
  for (int i = 0; i < 5; ++i) {
    Item item;
    item.id = "item" + std::to_string(i);
    item.prompt = "a red fox " + std::string(static_cast<std::size_t>(7 * i), 'x');
    item.seed = static_cast<std::uint64_t>(i);
    item.width = 32 + 16 * (i % 2);
    item.height = 32;
    item.steps = 2 + i % 2;
    item.shift = 3;
    item.guidance = i % 2 == 0 ? 4 : 0;
    item.system_prompt = "be good ";
    units.push_back({units.size(), {item}, 1});
  }
  return units;
}

std::map<std::string, Result> make(const Case& c, const std::string& offload, std::size_t units_at_once) {
  Job job;
  job.model.path = folder_of(c);
  job.output.tensors = true;
  job.memory.offload = offload;
  const std::unique_ptr<Model> model = test::load(job, c.family, c.dtype);
  WholeModelEngine engine(*model, {.units_at_once = units_at_once});
  for (Unit& unit : units_of(c)) engine.submit(std::move(unit));
  std::map<std::string, Result> results;
  while (!engine.idle()) {
    engine.progress();
    while (auto finished = engine.take()) {
      for (Result& result : finished->results) results[result.id] = std::move(result);
    }
  }
  return results;
}

void expect_equal(const std::map<std::string, Result>& expected, const std::map<std::string, Result>& got) {
  ASSERT_EQ(got.size(), expected.size());
  for (const auto& [id, result] : expected) {
    ASSERT_EQ(result.error, "") << id;
    const Result& other = got.at(id);
    ASSERT_EQ(other.error, "") << id;
    ASSERT_EQ(other.tensors.size(), result.tensors.size());
    for (const auto& [name, tensor] : result.tensors) {
      EXPECT_TRUE(at::equal(tensor, other.tensors.at(name))) << id << " " << name;
    }
    if (result.text) {
      EXPECT_EQ(other.text->token_ids, result.text->token_ids) << id;
    } else {
      EXPECT_TRUE(at::equal(result.picture, other.picture)) << id;
    }
  }
}

class Offload : public testing::TestWithParam<Case> {};

TEST_P(Offload, GivesTheSameBits) {
  const bool text = std::string(GetParam().family) == "qwen2_5_vl";
  const auto plain = make(GetParam(), "none", 1);
  expect_equal(plain, make(GetParam(), "layers", 1));
  if (text) return;
  expect_equal(plain, make(GetParam(), "text_encoder", 1));
  expect_equal(plain, make(GetParam(), "text_encoder", 4));
  expect_equal(plain, make(GetParam(), "layers", 4));
}

INSTANTIATE_TEST_SUITE_P(
    Families, Offload,
    testing::Values(Case{"z_image", "z_image_tiny", at::kFloat}, Case{"z_image", "z_image_tiny", at::kBFloat16},
                    Case{"z_image", "z_image_base", at::kFloat}, Case{"newbie_image", "newbie_image", at::kFloat},
                    Case{"newbie_image", "newbie_image_diffusers", at::kBFloat16},
                    Case{"qwen2_5_vl", "qwen2_5_vl_released", at::kFloat},
                    Case{"qwen2_5_vl", "qwen2_5_vl_resaved", at::kBFloat16}),
    [](const auto& info) {
      return std::string(info.param.folder) + (info.param.dtype == at::kFloat ? "_float32" : "_bfloat16");
    });

}  // namespace
}  // namespace trireme
