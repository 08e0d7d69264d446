// The released models' sizes against figures worked out by hand and cross-checked with the checkpoints' byte counts.

#include "common/cost_model.h"

#include <gtest/gtest.h>

#include <string>

#include "common/strategies.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

constexpr double kTera = 1e12;
constexpr double kBf16 = 2;

ModelShape z_image_turbo() {
  return read_model_shape("z_image", std::string(TRIREME_SOURCE_DIR) + "/bench/shapes/z_image_turbo", "bfloat16");
}

DecoderShape qwen_7b() { return {28, 3584, 18944, 28, 4, 128, 152064}; }
VisionShape qwen_eyes() { return {32, 1280, 3420, 1176, 64, 4, 2, 3584}; }
DiffusionShape newbie() { return {2304, 768, 9216, 36, 2, 16, 2560, 1024, 1, 16, 0, 96}; }

Item picture(int side, int steps) {
  Item item;
  item.width = item.height = side;
  item.steps = steps;
  return item;
}

Lengths caption(double tokens) {
  Lengths lengths;
  lengths.caption = lengths.negative = tokens;
  return lengths;
}

double forward(const ModelShape& shape, int side, double tokens) {
  return cost_of(shape, picture(side, 1), caption(tokens)).passes.at(0).total().flops / kTera;
}

// The refiners of the caption run once a picture here and not in each forward: 0.1 T of 56.58.
TEST(CostModel, AForwardOfZImageCostsWhatItsShapesSay) {
  const ModelShape shape = z_image_turbo();
  EXPECT_NEAR(forward(shape, 512, 128), 13.7, 0.15);
  EXPECT_NEAR(forward(shape, 1024, 128), 56.58, 0.2);
  EXPECT_NEAR(forward(shape, 1536, 128), 148.7, 0.3);
  EXPECT_NEAR(forward(shape, 1024, 512), 62.51, 0.5);
}

TEST(CostModel, AForwardOfNewBieCostsWhatItsShapesSay) {
  ModelShape shape;
  shape.transformer = newbie();
  EXPECT_NEAR(forward(shape, 512, 256), 8.1, 0.15);
  EXPECT_NEAR(forward(shape, 1024, 256), 32.35, 0.15);
  EXPECT_NEAR(forward(shape, 1536, 512), 90.5, 0.5);
}

TEST(CostModel, TheDecoderOfPicturesGrowsFasterThanTheirArea) {
  const AutoencoderShape vae{{128, 256, 512, 512}, 2, 16};
  EXPECT_NEAR(decode_cost(vae, kBf16, 512, 512).flops / kTera, 2.51, 0.03);
  EXPECT_NEAR(decode_cost(vae, kBf16, 1024, 1024).flops / kTera, 10.47, 0.1);
  EXPECT_NEAR(decode_cost(vae, kBf16, 2048, 2048).flops / kTera, 48.5, 0.5);
}

TEST(CostModel, TheTextEncoderRunsAllLayersButOne) {
  const DecoderShape qwen3 = z_image_turbo().text_encoder.value();
  EXPECT_EQ(qwen3.layers, 35);
  const double flops = 35 * layer_cost(qwen3, kBf16, 512, 0).total().flops;
  EXPECT_NEAR(flops / kTera, 3.69, 0.01);
}

TEST(CostModel, PrefillAndDecodeOfAnAnswer) {
  ModelShape shape;
  shape.language = qwen_7b();
  Lengths lengths;
  lengths.prompt = 1024;
  lengths.new_tokens = 101;
  const ItemCost cost = cost_of(shape, {}, lengths);
  EXPECT_NEAR(cost.passes.at(0).total().flops / kTera, 13.6, 0.1);
  EXPECT_EQ(cost.passes.at(1).count, 100);
  const Cost token = cost.passes.at(1).total();
  EXPECT_NEAR(token.flops / 1e9, 14.14, 0.5);  // and the attention of 1074 tokens
  EXPECT_NEAR(token.bytes / 1e9, 14.14 + 57344 * 1074.5 / 1e9, 0.02);
}

TEST(CostModel, ThePicturesOfAPromptAreSeenInWindowsAndFourTimesWhole) {
  EXPECT_NEAR(vision_cost(qwen_eyes(), kBf16, 5184).flops / kTera, 7.26, 0.03);
  EXPECT_NEAR(vision_cost(qwen_eyes(), kBf16, 1024).flops / kTera, 1.35, 0.02);
}

TEST(CostModel, ParametersOfALayerAreThoseOfTheCheckpoint) {
  EXPECT_DOUBLE_EQ(layer_parameters(qwen_7b()), 3584.0 * (3584 + 2 * 512 + 3584 + 3 * 18944));
  const DiffusionShape z = z_image_turbo().transformer.value();
  EXPECT_DOUBLE_EQ(layer_parameters(z), 3840.0 * (4 * 3840 + 3 * 10240 + 4 * 256));
}

TEST(CostModel, GuidanceDoublesThePassesUpToItsTruncation) {
  Item item = picture(512, 10);
  EXPECT_EQ(cost_of(z_image_turbo(), item, caption(32)).passes.size(), 1u);
  item.guidance = 4;
  EXPECT_EQ(cost_of(z_image_turbo(), item, caption(32)).passes.at(1).count, 10);
  item.cfg_truncation = 0.5;
  EXPECT_EQ(cost_of(z_image_turbo(), item, caption(32)).passes.at(1).count, 5);
  item.sampler = "midpoint";
  EXPECT_EQ(cost_of(z_image_turbo(), item, caption(32)).passes.at(0).count, 20);
  ModelShape counted_from_one = z_image_turbo();
  counted_from_one.transformer->no_guidance = 1;
  item.guidance = 1;
  EXPECT_EQ(cost_of(counted_from_one, item, caption(32)).passes.size(), 1u);
}

// docs/performance.md: 93.7 ms in a job, and 59.0 ms with 256 tokens of caption.
TEST(CostModel, OnAnH200AForwardTakesWhatWasMeasured) {
  const DeviceRates rates = nominal_rates("NVIDIA H200");
  const auto predicted = [&](const ModelShape& shape, double tokens) {
    const double least = seconds(cost_of(shape, picture(1024, 1), caption(tokens)).passes.at(0).total(), rates);
    return usual_scale(shape, "NVIDIA H200", 1).denoise * least;
  };
  EXPECT_NEAR(predicted(z_image_turbo(), 128), 0.0937, 0.003);
  ModelShape shape;
  shape.transformer = newbie();
  EXPECT_NEAR(predicted(shape, 256), 0.0590, 0.002);
}

// A cold card makes a forward of 1024 x 1024 in 88 ms, a hot one in 97; the bound below both is 76.
TEST(CostModel, SecondsAreBoundByOperationsOrByBytes) {
  const DeviceRates rates = nominal_rates("NVIDIA H200");
  EXPECT_NEAR(seconds(cost_of(z_image_turbo(), picture(1024, 1), caption(128)).passes.at(0).total(), rates), 0.0765,
              1e-3);
  ModelShape shape;
  shape.language = qwen_7b();
  Lengths lengths;
  lengths.prompt = 1;
  lengths.new_tokens = 2;
  EXPECT_NEAR(seconds(cost_of(shape, {}, lengths).passes.at(1).total(), rates), 14.14e9 / 4.3e12, 1e-5);
}

TEST(CostModel, AFakeItemCostsWhatItsPromptSays) {
  Item item;
  item.prompt = "a cat cost=1.5 fail";
  EXPECT_DOUBLE_EQ(cost_of({}, item, guess_lengths(item)).total().flops, 1.5 * kFakeFlopsPerSecond);
}

TEST(CostModel, LengthsAreGuessedFromTheTextAndThePictures) {
  Item item;
  item.prompt = std::string(4000, 'x');
  EXPECT_EQ(guess_lengths(item).caption, 512);
  item.messages = {{"user", {{ContentPart::Kind::text, std::string(400, 'x')}, {ContentPart::Kind::image, "", 0}}}};
  item.images.resize(1);
  item.max_new_tokens = 7;
  EXPECT_EQ(guess_lengths(item).prompt, 108 + 1369);
  EXPECT_EQ(guess_lengths(item).new_tokens, 7);
  item.images[0].width = 640, item.images[0].height = 448;
  EXPECT_EQ(guess_lengths(item).prompt, 108 + 23 * 16) << "644 x 448 in cells of 28";
  item.images[0].width = item.images[0].height = 60000;
  EXPECT_EQ(guess_lengths(item).prompt, 108 + 16384) << "larger pictures are made smaller";
}

TEST(ModelShape, NestedAndFlatTextConfigsAreTheSame) {
  const TemporaryFolder folder;
  const std::string text = R"("hidden_size":64,"intermediate_size":128,"num_hidden_layers":4,"num_attention_heads":4,)"
                           R"("num_key_value_heads":2,"vocab_size":99)";
  folder.write("config.json", "{" + text + "}");
  const ModelShape flat = read_model_shape("qwen2_5_vl", folder.path(), "float32");
  folder.write("config.json", R"({"text_config":{)" + text + R"(},"vision_config":{"depth":2,"hidden_size":32}})");
  const ModelShape nested = read_model_shape("qwen2_5_vl", folder.path(), "bfloat16");
  EXPECT_EQ(flat.language->head_dim, 16);
  EXPECT_EQ(nested.language->head_dim, 16);
  EXPECT_EQ(flat.bytes_per_parameter, 4);
  EXPECT_FALSE(flat.vision);
  EXPECT_EQ(nested.vision->layers, 2);
}

TEST(ModelShape, NewBieSharesKeysAndValues) {
  const TemporaryFolder folder;
  for (const char* part : {"transformer", "text_encoder", "vae"}) std::filesystem::create_directory(folder / part);
  folder.write("transformer/config.json", R"({"dim":2304,"n_layers":36,"n_heads":24,"n_kv_heads":8,"in_channels":16})");
  folder.write("text_encoder/config.json",
               R"({"text_config":{"hidden_size":2560,"intermediate_size":10240,"num_hidden_layers":34}})");
  folder.write("vae/config.json", R"({"block_out_channels":[128,256,512,512]})");
  const ModelShape shape = read_model_shape("newbie_image", folder.path(), "bfloat16");
  EXPECT_EQ(shape.transformer->kv_dim, 768);
  EXPECT_EQ(shape.transformer->feed_forward, 9216);
  EXPECT_EQ(shape.text_encoder->layers, 33);
  EXPECT_EQ(shape.text_encoder->head_dim, 256);
  EXPECT_EQ(shape.transformer->no_guidance, 1);

  folder.write("transformer/config.json",
               R"({"hidden_size":2304,"num_layers":36,"num_attention_heads":24,"num_kv_heads":8,"in_channels":16,)"
               R"("num_refiner_layers":2})");
  const ModelShape converted = read_model_shape("newbie_image", folder.path(), "bfloat16");
  EXPECT_EQ(converted.transformer->dim, 2304);
  EXPECT_EQ(converted.transformer->kv_dim, 768);
  EXPECT_EQ(converted.transformer->layers, 36);
  EXPECT_EQ(converted.transformer->refiners, 2);
}

TEST(ModelShape, WhatAConfigLacksIsNamed) {
  const TemporaryFolder folder;
  folder.write("config.json", R"({"hidden_size":64})");
  try {
    read_model_shape("qwen2_5_vl", folder.path(), "bfloat16");
    FAIL();
  } catch (const std::exception& e) {
    EXPECT_NE(std::string(e.what()).find("config.json: num_hidden_layers"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace trireme
