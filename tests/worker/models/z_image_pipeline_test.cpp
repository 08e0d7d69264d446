#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "common/tokenizer/chat.h"
#include "tests/worker/golden.h"
#include "tests/worker/models/run_model.h"
#include "worker/models/z_image/z_image.h"
#include "worker/nn/caption_encoder.h"

namespace trireme::z_image {
namespace {

struct Layout {
  const char* name;
  std::filesystem::path folder;
};

const Layout kTiny{"z_image_tiny", test::source_folder() / "models" / "z_image_tiny"};
const Layout kBase{"z_image_base", test::golden_folder() / "z_image_base"};

Job job_for(const std::filesystem::path& folder) {
  Job job;
  job.model.path = folder;
  job.output.tensors = true;
  return job;
}

std::unique_ptr<Model> load(const Job& job, at::ScalarType dtype) { return test::load(job, "z_image", dtype); }

using test::make;

Item item_of(const nlohmann::json& wanted) {
  Item item;
  item.id = wanted.at("name");
  item.prompt = wanted.at("prompt");
  item.negative_prompt = wanted.at("negative_prompt");
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

/// What each item of a unit comes to when all are made together.
std::vector<Result> make_together(Model& model, const std::vector<Item>& items) {
  std::vector<Result> results;
  Slices slices;
  const auto session = model.begin({0, items, 1}, slices);
  test::run_all(slices);
  while (!session->done()) {
    for (int half = 0; half < session->halves; ++half) {
      model.enter(*session, half, slices);
      model.layers(*session, half, {0, model.layer_count()}, slices);
      model.leave(*session, half, slices);
    }
    model.advance(*session, slices);
    test::run_all(slices);
  }
  model.finish(*session, slices, results);
  test::run_all(slices);
  return results;
}

Item small_item() {
  Item item;
  item.id = "small";
  item.prompt = "a red fox";
  item.seed = 3;
  item.width = item.height = 32;
  item.steps = 2;
  item.shift = 3;
  return item;
}

class ZImageGolden : public testing::TestWithParam<Layout> {
 protected:
  const std::map<std::string, at::Tensor> golden_ =
      test::read_tensors(test::golden_folder() / (std::string(GetParam().name) + ".safetensors"));
  const nlohmann::json cases_ = test::read_json(test::golden_folder() / (std::string(GetParam().name) + ".json"));
};

TEST_P(ZImageGolden, CaptionsHaveTheTokensAndFeaturesOfTheReference) {
  const ModelFiles files = read_model_files(GetParam().folder, /*weights=*/true);
  const PartConfig part(files, "text_encoder");
  const std::string prefix = part.has_tensor("embed_tokens.weight") ? "" : "model.";
  nn::CaptionEncoder encoder(part, prefix, Tokenizer::parse(files.tokenizer_json, "tokenizer.json"));
  Parameters parameters;
  encoder.want(parameters);
  test::load_part(files, "text_encoder", parameters, at::kFloat);
  for (const nlohmann::json& item : cases_.at("captions")) {
    const std::string name = item.at("name");
    const at::Tensor ids = encoder.tokenize(z_image_prompt(item.at("prompt").get<std::string>()));
    const std::vector<std::int64_t> got(ids.data_ptr<std::int64_t>(), ids.data_ptr<std::int64_t>() + ids.numel());
    ASSERT_EQ(got, item.at("ids").get<std::vector<std::int64_t>>()) << name;
    const nn::DecoderPass pass = encoder.decoder().begin(at::arange(ids.numel(), at::kLong), at::kCPU);
    at::Tensor features = encoder.decoder().embed(ids);
    for (std::size_t i = 0; i < encoder.decoder().layer_count(); ++i) {
      features = encoder.decoder().layer(i, features, pass);
    }
    const at::Tensor tail = features.slice(0, ids.numel() - item.at("tail").get<std::int64_t>());
    EXPECT_LE(test::relative_error(tail, golden_.at(name + "/caption")), 2e-5) << name;
  }
}

// Equal runs of the reference differ by up to 1e-5 in the latents without guidance, 3e-5 with it.
TEST_P(ZImageGolden, PicturesAgreeWithDiffusers) {
  const Job job = job_for(GetParam().folder);
  const std::unique_ptr<Model> model = load(job, at::kFloat);
  double worst = 0;
  for (const nlohmann::json& wanted : cases_.at("images")) {
    const std::string name = wanted.at("name");
    const Result result = make(*model, item_of(wanted));
    const double error = test::absolute_error(result.tensors.at("latents"), golden_.at(name + "/latents"));
    worst = std::max(worst, error);
    EXPECT_LE(error, 3e-4) << name;
    ASSERT_EQ(result.picture.scalar_type(), at::kByte);
    EXPECT_TRUE(result.picture.is_contiguous());
    EXPECT_LE(test::absolute_error(result.picture, golden_.at(name + "/picture")), 1) << name;
    if (!wanted.at("tensors").get<bool>()) continue;
    EXPECT_LE(test::relative_error(result.tensors.at("caption"), golden_.at(name + "/caption")), 2e-5) << name;
    EXPECT_LE(test::absolute_error(result.tensors.at("image"), golden_.at(name + "/image")), 1e-3) << name;
  }
  RecordProperty("worst_latent_error", std::to_string(worst));
}

TEST_P(ZImageGolden, Bfloat16StaysCloseInOneStep) {
  const Job job = job_for(GetParam().folder);
  const std::unique_ptr<Model> wide = load(job, at::kFloat), narrow = load(job, at::kBFloat16);
  Item item = item_of(cases_.at("images").at(0));
  item.steps = 1;
  const Result expected = make(*wide, item), got = make(*narrow, item);
  EXPECT_EQ(got.tensors.at("latents").scalar_type(), at::kFloat);
  EXPECT_EQ(got.tensors.at("caption").scalar_type(), at::kFloat);
  EXPECT_LE(test::relative_error(got.tensors.at("latents"), expected.tensors.at("latents")), 0.06);
  EXPECT_LE(test::relative_error(got.tensors.at("image"), expected.tensors.at("image")), 0.2);
}

INSTANTIATE_TEST_SUITE_P(Layouts, ZImageGolden, testing::Values(kTiny, kBase),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(ZImage, GivesTheSameBitsWhenTwoSessionsInterleave) {
  const Job job = job_for(kTiny.folder);
  const std::unique_ptr<Model> model = load(job, at::kFloat);
  Item first = small_item(), second = small_item();
  second.seed = 4;
  second.prompt = "a longer prompt about something else entirely, with rain";
  const Result alone_first = make(*model, first), alone_second = make(*model, second);

  Slices slices[2];
  std::unique_ptr<Session> sessions[2];
  std::vector<Result> results[2];
  const auto alternate = [&] {
    for (std::size_t i = 0; i < std::max(slices[0].size(), slices[1].size()); ++i) {
      for (Slices& list : slices) {
        if (i < list.size()) list[i].run();
      }
    }
    for (Slices& list : slices) list.clear();
  };
  for (int s : {0, 1}) sessions[s] = model->begin({.items = {s == 0 ? first : second}}, slices[s]);
  alternate();
  for (int pass = 0; pass < first.steps; ++pass) {
    for (int s : {0, 1}) {
      model->enter(*sessions[s], 0, slices[s]);
      model->layers(*sessions[s], 0, {0, model->layer_count()}, slices[s]);
      model->leave(*sessions[s], 0, slices[s]);
      model->advance(*sessions[s], slices[s]);
    }
    alternate();
  }
  for (int s : {0, 1}) model->finish(*sessions[s], slices[s], results[s]);
  alternate();
  EXPECT_TRUE(at::equal(results[0].at(0).tensors.at("image"), alone_first.tensors.at("image")));
  EXPECT_TRUE(at::equal(results[1].at(0).tensors.at("image"), alone_second.tensors.at("image")));
}

// Products of more rows may be summed in another order: a rounding of float32 a step, nothing that a picture shows.
TEST(ZImage, PicturesMadeTogetherAreThoseMadeAlone) {
  const std::unique_ptr<Model> model = load(job_for(kBase.folder), at::kFloat);
  std::vector<Item> items(3, small_item());
  const char* prompts[] = {"a red fox", "a longer prompt about something else entirely, with rain, and much more of it",
                           ""};
  for (std::size_t i = 0; i < items.size(); ++i) {
    items[i].id = "item" + std::to_string(i);
    items[i].seed = 3 + i;
    items[i].prompt = prompts[i];
    items[i].negative_prompt = prompts[2 - i];
    items[i].steps = 3;
    items[i].guidance = 2.5;
    items[i].cfg_normalization = 0.9;
    items[i].width = 48;
  }
  const std::vector<Result> together = make_together(*model, items);
  ASSERT_EQ(together.size(), 3u);
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Result alone = make(*model, items[i]);
    EXPECT_EQ(together[i].id, items[i].id);
    EXPECT_TRUE(at::equal(together[i].tensors.at("caption"), alone.tensors.at("caption")));
    EXPECT_LE(test::absolute_error(together[i].tensors.at("latents"), alone.tensors.at("latents")), 3e-4);
    EXPECT_LE(test::absolute_error(together[i].picture, alone.picture), 1);
  }
}

TEST(ZImage, AnItemOfABatchThatCanNotBeMadeIsNamed) {
  const std::unique_ptr<Model> model = load(job_for(kTiny.folder), at::kFloat);
  std::vector<Item> items(3, small_item());
  for (Item& item : items) item.width = 40;
  Slices slices;
  try {
    model->begin({0, items, 1}, slices);
    FAIL();
  } catch (const ItemError& e) {
    EXPECT_EQ(e.item(), 0u);
  }
}

TEST(ZImage, RefusesSizesThatTheModelCanNotMake) {
  const Job job = job_for(kTiny.folder);
  const std::unique_ptr<Model> model = load(job, at::kFloat);
  Slices slices;
  for (const auto& [width, height] : {std::pair(40, 32), std::pair(32, 8), std::pair(0, 32), std::pair(16 * 513, 16)}) {
    Item item = small_item();
    item.width = width;
    item.height = height;
    EXPECT_THROW(model->begin({.items = {item}}, slices), ItemError) << width << "x" << height;
  }
}

TEST(ZImage, RunsWithDummyWeightsAndConfigsAlone) {
  Job job = job_for(kTiny.folder);
  job.model.weights = "dummy";
  const std::unique_ptr<Model> model = load(job, at::kFloat);
  const Result result = make(*model, small_item());
  EXPECT_EQ(result.picture.sizes(), at::IntArrayRef({32, 32, 3}));
  EXPECT_TRUE(at::isfinite(result.tensors.at("latents")).all().item<bool>());
}

TEST(ZImage, TilesWhenToldToAndNamesTheSameSize) {
  Job job = job_for(kBase.folder);
  job.memory.vae_tiling = true;
  const std::unique_ptr<Model> tiled = load(job, at::kFloat);
  Item item = small_item();
  item.width = 52, item.height = 40;
  const Result in_tiles = make(*tiled, item);
  job.memory.vae_tiling = false;
  const std::unique_ptr<Model> whole = load(job, at::kFloat);
  const Result in_one = make(*whole, item);
  EXPECT_TRUE(at::equal(in_tiles.tensors.at("latents"), in_one.tensors.at("latents")));
  EXPECT_EQ(in_tiles.picture.sizes(), in_one.picture.sizes());
  EXPECT_FALSE(at::equal(in_tiles.picture, in_one.picture));
}

}  // namespace
}  // namespace trireme::z_image
