#include "worker/nn/decoder.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

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

/// A small decoder with the reference's weights, and what that made of some ids.
struct Loaded {
  Loaded(const std::string& family, at::ScalarType dtype, at::Device device = at::kCPU)
      : golden(test::read_tensors(test::golden_folder() / ("decoder_" + family + ".safetensors"))),
        files(files_of(test::read_json(test::golden_folder() / ("decoder_" + family + ".json")))),
        config(decoder_config(PartConfig(files, "text_encoder"), "")),
        decoder(config, config.layers),
        ids(golden.at("ids").to(device)) {
    Parameters parameters;
    decoder.want(parameters, "", /*final_norm=*/true);
    test::fill(parameters, golden, dtype);
    for (const Parameters::Want& want : parameters.wants()) *want.slot = want.slot->to(device);
  }
  const at::Tensor& expected(std::size_t layer) const { return golden.at("hidden_" + std::to_string(layer)); }
  /// Of sequences of one length, one behind the other.
  at::Tensor run(const at::Tensor& all, std::int64_t sequences) const {
    const at::Tensor positions = at::arange(all.size(0) / sequences, at::kLong);
    const DecoderPass pass = decoder.begin(positions, all.device(), sequences);
    at::Tensor hidden = decoder.embed(all);
    for (std::size_t i = 0; i < decoder.layer_count(); ++i) hidden = decoder.layer(i, hidden, pass);
    return hidden;
  }

  std::map<std::string, at::Tensor> golden;
  ModelFiles files;
  DecoderConfig config;
  Decoder decoder;
  at::Tensor ids;
};

class DecoderGolden : public testing::TestWithParam<const char*> {};

TEST_P(DecoderGolden, EveryLayerAgreesWithTransformers) {
  const Loaded loaded(GetParam(), at::kFloat);
  const Decoder& decoder = loaded.decoder;
  const DecoderPass pass = decoder.begin(at::arange(loaded.ids.size(0), at::kLong), at::kCPU);
  at::Tensor hidden = decoder.embed(loaded.ids);
  for (std::size_t i = 0; i < decoder.layer_count(); ++i) {
    EXPECT_LE(test::relative_error(hidden, loaded.expected(i)), kTolerance) << "before layer " << i;
    hidden = decoder.layer(i, hidden, pass);
  }
  EXPECT_LE(test::relative_error(decoder.final_norm(hidden), loaded.expected(decoder.layer_count())), kTolerance);
}

TEST_P(DecoderGolden, RunsInBfloat16CloseToTheReference) {
  const Loaded loaded(GetParam(), at::kBFloat16);
  const at::Tensor hidden = loaded.run(loaded.ids, 1);
  EXPECT_EQ(hidden.scalar_type(), at::kBFloat16);
  const at::Tensor& last = loaded.expected(loaded.decoder.layer_count());
  EXPECT_LE(test::relative_error(loaded.decoder.final_norm(hidden), last), 0.04);  // three layers of 8-bit mantissas
}

/// Three sequences in one pass, beside each in a pass of its own.
void expect_sequences_apart(const Loaded& loaded, double tolerance) {
  const std::vector<at::Tensor> each = {loaded.ids, loaded.ids.flip(0), loaded.ids.roll(1)};
  const at::Tensor together = loaded.run(at::cat(each), 3);
  const std::int64_t tokens = loaded.ids.size(0);
  for (std::size_t i = 0; i < each.size(); ++i) {
    const at::Tensor part = together.narrow(0, static_cast<std::int64_t>(i) * tokens, tokens);
    EXPECT_LE(test::relative_error(part.cpu(), loaded.run(each[i], 1).cpu()), tolerance) << i;
  }
}

TEST(Decoder, ReadsSequencesOfOneLengthAsEachAlone) {
  for (const char* family : {"qwen2", "qwen3", "llama", "gemma3"}) {
    expect_sequences_apart(Loaded(family, at::kFloat), 1e-6);
  }
}

TEST(Decoder, ReadsSequencesOfOneLengthAsEachAloneOnAGpu) {
  if (!at::hasCUDA()) GTEST_SKIP() << "no GPU: its kernels were not run";
  for (const char* family : {"qwen2", "qwen3", "llama", "gemma3"}) {
    expect_sequences_apart(Loaded(family, at::kBFloat16, at::Device(at::kCUDA, 0)), 0.02);
  }
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
