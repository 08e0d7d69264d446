#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "tests/worker/golden.h"
#include "tests/worker/models/run_model.h"
#include "worker/models/list.h"
#include "worker/models/newbie_image/text_conditioning.h"

namespace trireme::newbie_image {
namespace {

const char* const kLayouts[] = {"newbie_image", "newbie_image_diffusers"};

Job job_for(const std::string& layout) {
  Job job;
  job.model.path = test::golden_folder() / layout;
  job.output.tensors = true;
  return job;
}

std::unique_ptr<Model> load(const Job& job, at::ScalarType dtype) { return test::load(job, "newbie_image", dtype); }

Item item_of(const nlohmann::json& wanted) {
  Item item;
  item.id = wanted.at("name");
  item.prompt = wanted.at("prompt");
  item.negative_prompt = wanted.at("negative_prompt");
  item.system_prompt = wanted.at("system_prompt");
  item.sampler = wanted.at("sampler");
  item.seed = wanted.at("seed");
  item.width = wanted.at("width");
  item.height = wanted.at("height");
  item.steps = wanted.at("steps");
  item.guidance = wanted.at("guidance");
  item.cfg_truncation = wanted.at("cfg_truncation");
  item.cfg_normalization = wanted.at("cfg_normalization");
  item.shift = wanted.at("shift");
  return item;
}

Item small_item() {
  Item item;
  item.id = "small";
  item.prompt = "a red fox";
  item.seed = 3;
  item.width = item.height = 32;
  item.steps = 2;
  item.shift = 6;
  item.guidance = 5;
  return item;
}

std::vector<std::int64_t> values_of(const at::Tensor& ids) {
  return {ids.data_ptr<std::int64_t>(), ids.data_ptr<std::int64_t>() + ids.numel()};
}

class NewbieGolden : public testing::TestWithParam<const char*> {
 protected:
  const std::map<std::string, at::Tensor> golden_ =
      test::read_tensors(test::golden_folder() / "newbie_image.safetensors");
  const nlohmann::json cases_ = test::read_json(test::golden_folder() / "newbie_image.json");
};

TEST_P(NewbieGolden, TextsHaveTheTokensAndFeaturesOfTheReference) {
  const ModelFiles files = read_model_files(test::golden_folder() / GetParam(), /*weights=*/true, "newbie_image");
  TextConditioning text(files);
  PartParameters wanted;
  text.want(wanted);
  for (auto& [part, parameters] : wanted) test::load_part(files, part, parameters, at::kFloat);
  const nn::Decoder& gemma = text.gemma().decoder();
  for (const nlohmann::json& item : cases_.at("texts")) {
    const std::string name = item.at("name"), prompt = item.at("text");
    const at::Tensor ids = text.gemma().tokenize(prompt), clip_ids = text.jina().tokenize(prompt);
    ASSERT_EQ(values_of(ids), item.at("ids").get<std::vector<std::int64_t>>()) << name;
    ASSERT_EQ(values_of(clip_ids), item.at("clip_ids").get<std::vector<std::int64_t>>()) << name;

    const nn::DecoderPass pass = gemma.begin(at::arange(ids.numel(), at::kLong), at::kCPU);
    at::Tensor features = gemma.embed(ids);
    for (std::size_t i = 0; i < gemma.layer_count(); ++i) features = gemma.layer(i, features, pass);
    const at::Tensor tail = features.slice(0, ids.numel() - item.at("tail").get<std::int64_t>());
    EXPECT_LE(test::relative_error(tail, golden_.at(name + "/caption")), 2e-5) << name;

    const JinaTower::Pass pooling = text.jina().begin(clip_ids, at::kCPU);
    at::Tensor hidden = text.jina().embed(pooling);
    for (std::size_t i = 0; i < text.jina().layer_count(); ++i) hidden = text.jina().layer(i, hidden, pooling);
    EXPECT_LE(test::relative_error(text.jina().pool(hidden, pooling)[0], golden_.at(name + "/pooled")), 2e-5) << name;
  }
}

// Equal runs of the reference differ by up to 3e-5 in the latents.
TEST_P(NewbieGolden, PicturesAgreeWithTheReference) {
  const Job job = job_for(GetParam());
  const std::unique_ptr<Model> model = load(job, at::kFloat);
  double worst = 0;
  for (const nlohmann::json& wanted : cases_.at("images")) {
    const std::string name = wanted.at("name");
    const Result result = test::make(*model, item_of(wanted));
    const double error = test::absolute_error(result.tensors.at("latents"), golden_.at(name + "/latents"));
    worst = std::max(worst, error);
    EXPECT_LE(error, 3e-4) << name;
    EXPECT_LE(test::absolute_error(result.picture, golden_.at(name + "/picture")), 1) << name;
    if (!wanted.at("tensors").get<bool>()) continue;
    EXPECT_LE(test::relative_error(result.tensors.at("caption"), golden_.at(name + "/caption")), 2e-5) << name;
    EXPECT_LE(test::absolute_error(result.tensors.at("image"), golden_.at(name + "/image")), 1e-3) << name;
  }
  RecordProperty("worst_latent_error", std::to_string(worst));
}

TEST_P(NewbieGolden, Bfloat16StaysCloseInOneStep) {
  const Job job = job_for(GetParam());
  const std::unique_ptr<Model> wide = load(job, at::kFloat), narrow = load(job, at::kBFloat16);
  Item item = item_of(cases_.at("images").at(0));
  item.steps = 1;
  item.guidance = 1;
  const Result expected = test::make(*wide, item), got = test::make(*narrow, item);
  EXPECT_EQ(got.tensors.at("latents").scalar_type(), at::kFloat);
  EXPECT_EQ(got.tensors.at("caption").scalar_type(), at::kFloat);
  EXPECT_LE(test::relative_error(got.tensors.at("latents"), expected.tensors.at("latents")), 0.06);
}

INSTANTIATE_TEST_SUITE_P(Layouts, NewbieGolden, testing::ValuesIn(kLayouts),
                         [](const auto& param) { return std::string(param.param); });

TEST(NewbieImage, OnlyGemmaSeesTheSystemPrompt) {
  EXPECT_EQ(TextConditioning::positive("Be good.", "a fox"), "Be good.a fox");
  EXPECT_EQ(TextConditioning::positive("Be good.", ""), "Be good.");
  EXPECT_EQ(TextConditioning::negative("Be good.", "blur"), "Be good.blur");
  EXPECT_EQ(TextConditioning::negative("Be good.", ""), "");
}

TEST(NewbieImage, GuidanceOfOneIsNone) {
  const Job job = job_for(kLayouts[0]);
  const std::unique_ptr<Model> model = load(job, at::kFloat);
  Slices slices;
  Item item = small_item();
  item.guidance = 1;
  EXPECT_EQ(model->begin({.items = {item}}, slices)->halves, 1);
  const std::size_t without = slices.size();
  slices.clear();
  item.guidance = 1.5;
  EXPECT_EQ(model->begin({.items = {item}}, slices)->halves, 2);
  EXPECT_GT(slices.size(), without);
}

TEST(NewbieImage, AMidpointStepIsTwoPasses) {
  const Job job = job_for(kLayouts[0]);
  const std::unique_ptr<Model> model = load(job, at::kFloat);
  Slices slices;
  Item item = small_item();
  EXPECT_EQ(model->begin({.items = {item}}, slices)->passes, 2);
  item.sampler = "midpoint";
  EXPECT_EQ(model->begin({.items = {item}}, slices)->passes, 4);
  item.sampler = "heun";
  EXPECT_THROW(model->begin({.items = {item}}, slices), ItemError);
}

TEST(NewbieImage, RefusesSizesThatTheModelCanNotMake) {
  const Job job = job_for(kLayouts[0]);
  const std::unique_ptr<Model> model = load(job, at::kFloat);
  Slices slices;
  for (const auto& [width, height] : {std::pair(40, 32), std::pair(32, 8), std::pair(0, 32), std::pair(16 * 513, 16)}) {
    Item item = small_item();
    item.width = width;
    item.height = height;
    EXPECT_THROW(model->begin({.items = {item}}, slices), ItemError) << width << "x" << height;
  }
}

TEST(NewbieImage, TheBenchmarksShapesAreThoseOfTheRelease) {
  const std::filesystem::path shapes = test::golden_folder().parent_path().parent_path() / "bench/shapes/newbie_image";
  const ModelFiles files = read_model_files(shapes, /*weights=*/false, "newbie_image");
  PartParameters wanted;
  const Job job = job_for(kLayouts[0]);
  make_model("newbie_image", {job, at::kCPU, at::kBFloat16}, files, wanted);
  std::map<std::string, std::int64_t> values;
  for (const auto& [part, parameters] : wanted) {
    for (const Parameters::Want& want : parameters.wants()) {
      std::int64_t count = want.rows;
      for (std::size_t i = 1; i < want.shape.size(); ++i) count *= want.shape[i];
      values[part] += count;
    }
  }
  EXPECT_EQ(values.at("transformer"), 3'486'633'792);
  EXPECT_EQ(values.at("text_encoder"), 3'785'878'016);  // 33 layers and the embeddings
  EXPECT_EQ(values.at("clip_model"), 558'314'496);
  EXPECT_EQ(values.at("vae"), 49'545'475);  // the decoder
}

TEST(JinaConfig, ComesFromTheConfigThenTheShapesThenTheModelThatTheReleaseNames) {
  ModelFiles files = read_model_files(test::golden_folder() / kLayouts[0], /*weights=*/true, "newbie_image");
  JinaConfig config = jina_config(PartConfig(files, "clip_model"));
  EXPECT_EQ(config.prefix, "text_model.transformer.roberta.");
  EXPECT_EQ(config.hidden, 24);
  EXPECT_EQ(config.heads, 3);
  EXPECT_EQ(config.layers, 2);
  EXPECT_EQ(config.rank, 4);
  EXPECT_EQ(config.adapters, 2);
  EXPECT_EQ(config.adapter, 1);
  EXPECT_EQ(config.adapter_scale, 1.5);
  files.parts["clip_model"].config = "{}";
  files.parts["clip_model"].tensors.clear();
  config = jina_config(PartConfig(files, "clip_model"));
  EXPECT_EQ(config.vocab, 250002);
  EXPECT_EQ(config.hidden, 1024);
  EXPECT_EQ(config.heads, 16);
  EXPECT_EQ(config.layers, 24);
  EXPECT_EQ(config.inner, 4096);
  EXPECT_EQ(config.rope_base, 20000);
  EXPECT_EQ(config.rank, 0);
  for (const char* other :
       {R"({"text_config": {"pooler_type": "cls_pooler"}})", R"({"text_config": {"proj_type": "linear"}})",
        R"({"text_config": {"num_attention_heads": 7}})"}) {
    files.parts["clip_model"].config = other;
    EXPECT_THROW(jina_config(PartConfig(files, "clip_model")), Error) << other;
  }
}

}  // namespace
}  // namespace trireme::newbie_image
