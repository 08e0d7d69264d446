#include "worker/nn/decoder.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/errors.h"
#include "tests/worker/golden.h"

namespace trireme::nn {
namespace {

// Two equal runs of the reference with one and two threads differ by up to 3e-6 here.
constexpr double kTolerance = 2e-5;

ModelFiles files_of(const nlohmann::json& config) {
  ModelFiles files;
  files.folder = "model";
  files.parts["text_encoder"].config = config.dump();
  return files;
}

class DecoderGolden : public testing::TestWithParam<const char*> {};

TEST_P(DecoderGolden, EveryLayerAgreesWithTransformers) {
  const std::string name = std::string("decoder_") + GetParam();
  const auto golden = test::read_tensors(test::golden_folder() / (name + ".safetensors"));
  const ModelFiles files = files_of(test::read_json(test::golden_folder() / (name + ".json")));
  const DecoderConfig config = decoder_config(PartConfig(files, "text_encoder"), "");
  Decoder decoder(config, config.layers);
  Parameters parameters;
  decoder.want(parameters, "", /*final_norm=*/true);
  test::fill(parameters, golden, at::kFloat);

  const at::Tensor ids = golden.at("ids");
  const DecoderPass pass = decoder.begin(at::arange(ids.size(0), at::kLong), at::kCPU);
  at::Tensor hidden = decoder.embed(ids);
  for (std::size_t i = 0; i < decoder.layer_count(); ++i) {
    EXPECT_LE(test::relative_error(hidden, golden.at("hidden_" + std::to_string(i))), kTolerance)
        << "before layer " << i;
    hidden = decoder.layer(i, hidden, pass);
  }
  const at::Tensor last = golden.at("hidden_" + std::to_string(decoder.layer_count()));
  EXPECT_LE(test::relative_error(decoder.final_norm(hidden), last), kTolerance);
}

TEST_P(DecoderGolden, RunsInBfloat16CloseToTheReference) {
  const std::string name = std::string("decoder_") + GetParam();
  const auto golden = test::read_tensors(test::golden_folder() / (name + ".safetensors"));
  const ModelFiles files = files_of(test::read_json(test::golden_folder() / (name + ".json")));
  const DecoderConfig config = decoder_config(PartConfig(files, "text_encoder"), "");
  Decoder decoder(config, config.layers);
  Parameters parameters;
  decoder.want(parameters, "", /*final_norm=*/true);
  test::fill(parameters, golden, at::kBFloat16);
  const at::Tensor ids = golden.at("ids");
  const DecoderPass pass = decoder.begin(at::arange(ids.size(0), at::kLong), at::kCPU);
  at::Tensor hidden = decoder.embed(ids);
  for (std::size_t i = 0; i < decoder.layer_count(); ++i) hidden = decoder.layer(i, hidden, pass);
  EXPECT_EQ(hidden.scalar_type(), at::kBFloat16);
  const at::Tensor last = golden.at("hidden_" + std::to_string(decoder.layer_count()));
  EXPECT_LE(test::relative_error(decoder.final_norm(hidden), last), 0.04);  // three layers of 8-bit mantissas
}

INSTANTIATE_TEST_SUITE_P(Families, DecoderGolden, testing::Values("qwen2", "qwen3", "llama", "gemma3"));

TEST(DecoderConfig, ReadsTheFlatKeysOfReleasedFilesAsTheNestedOnes) {
  nlohmann::json nested = test::read_json(test::golden_folder() / "decoder_gemma3.json");
  nlohmann::json flat = nested;
  flat.erase("rope_parameters");
  flat.erase("layer_types");
  flat["rope_theta"] = 1000000.0;
  flat["rope_local_base_freq"] = 10000.0;
  flat["rope_scaling"] = {{"rope_type", "linear"}, {"factor", 8.0}};
  flat["sliding_window_pattern"] = 2;
  const ModelFiles nested_files = files_of(nested), flat_files = files_of(flat);
  const DecoderConfig a = decoder_config(PartConfig(nested_files, "text_encoder"), "");
  const DecoderConfig b = decoder_config(PartConfig(flat_files, "text_encoder"), "");
  EXPECT_EQ(a.rope.theta, b.rope.theta);
  EXPECT_EQ(a.rope.linear_factor, b.rope.linear_factor);
  EXPECT_EQ(a.local_rope.theta, b.local_rope.theta);
  EXPECT_EQ(a.local_rope.linear_factor, b.local_rope.linear_factor);
  EXPECT_EQ(a.windowed, b.windowed);
}

TEST(DecoderConfig, TakesSizesFromShapesWhereTheConfigIsSilent) {
  ModelFiles files = files_of({{"model_type", "qwen3"}});
  files.parts["text_encoder"].tensors = {
      {"model.embed_tokens.weight", "F32", {100, 64}, 0, 0, 0},
      {"model.layers.0.self_attn.q_proj.weight", "F32", {96, 64}, 0, 0, 0},
      {"model.layers.0.self_attn.k_proj.weight", "F32", {48, 64}, 0, 0, 0},
      {"model.layers.0.self_attn.q_norm.weight", "F32", {16}, 0, 0, 0},
      {"model.layers.0.mlp.gate_proj.weight", "F32", {80, 64}, 0, 0, 0},
      {"model.layers.11.mlp.gate_proj.weight", "F32", {80, 64}, 0, 0, 0},
  };
  const DecoderConfig config = decoder_config(PartConfig(files, "text_encoder"), "model.");
  EXPECT_EQ(config.layers, 12);
  EXPECT_EQ(config.hidden, 64);
  EXPECT_EQ(config.vocab, 100);
  EXPECT_EQ(config.heads, 6);
  EXPECT_EQ(config.kv_heads, 3);
  EXPECT_EQ(config.head_dim, 16);
  EXPECT_EQ(config.intermediate, 80);
}

TEST(DecoderConfig, RefusesWhatItCanNotComputeByName) {
  const auto message = [](const nlohmann::json& config) -> std::string {
    const ModelFiles files = files_of(config);
    try {
      decoder_config(PartConfig(files, "text_encoder"), "");
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  nlohmann::json config = test::read_json(test::golden_folder() / "decoder_llama.json");
  config["rope_parameters"] = {{"rope_type", "llama3"}, {"rope_theta", 10000.0}};
  EXPECT_NE(message(config).find("'llama3' is not supported"), std::string::npos) << message(config);
  EXPECT_NE(message({{"model_type", "mamba"}}).find("'mamba' is not supported"), std::string::npos);
  EXPECT_NE(message({{"model_type", "qwen3"}}).find("num_hidden_layers"), std::string::npos);
}

}  // namespace
}  // namespace trireme::nn
