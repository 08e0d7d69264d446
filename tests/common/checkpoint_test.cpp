#include "common/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/errors.h"
#include "common/files.h"
#include "common/json.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// A copy of the tiny checkpoint whose files a test may change.
class CheckpointFolder : public testing::Test {
 protected:
  fs::path write(const std::string& name, std::string_view bytes) const {
    write_file(folder_ / name, bytes, Durability::renamed);
    return folder_ / name;
  }

  CheckpointFolder() { fs::copy(tiny_, folder_ / "model", fs::copy_options::recursive); }

  Checkpoint look(const fs::path& path, const std::string& family = "auto", const std::string& weights = "checkpoint") {
    Job job;
    job.model.path = path;
    job.model.family = family;
    job.model.weights = weights;
    return inspect(job);
  }
  Checkpoint look() { return look(folder_ / "model"); }

  std::string error(ExitCode code = ExitCode::bad_data, const std::string& family = "auto") {
    try {
      look(folder_ / "model", family);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  void set(const std::string& file, const std::string& key, const nlohmann::json& value) {
    const fs::path path = folder_ / "model" / file;
    nlohmann::json config = parse_json(read_file(path, 1 << 20), file);
    config[key] = value;
    write("model/" + file, config.dump());
  }

  void restore() {
    fs::remove_all(folder_ / "model");
    fs::copy(tiny_, folder_ / "model", fs::copy_options::recursive);
  }

  const TemporaryFolder folder_;
  const fs::path tiny_ = fs::path(TRIREME_SOURCE_DIR) / "models/z_image_tiny";
  const fs::path base_ = fs::path(TRIREME_SOURCE_DIR) / "tests/golden/z_image_base";
};

TEST_F(CheckpointFolder, TakesShiftThreeForTurbo) {
  const Checkpoint turbo = look();
  EXPECT_EQ(turbo.family, "z_image");
  EXPECT_EQ(turbo.defaults.steps, 8);
  EXPECT_EQ(turbo.defaults.guidance, 0);
  EXPECT_EQ(turbo.defaults.shift, 3);
  EXPECT_EQ(turbo.defaults.size_multiple, 16);
  const Checkpoint base = look(base_);
  EXPECT_EQ(base.defaults.steps, 28);
  EXPECT_EQ(base.defaults.guidance, 4);
  EXPECT_EQ(base.defaults.shift, 6);
}

TEST_F(CheckpointFolder, TakesTheSizeMultipleFromTheDecoder) {
  set("vae/config.json", "block_out_channels", {16, 32});
  EXPECT_EQ(look(folder_ / "model").defaults.size_multiple, 4);
}

TEST_F(CheckpointFolder, NeedsNoFolderForTheFakeFamily) {
  const Checkpoint fake = look("", "fake");
  EXPECT_EQ(fake.family, "fake");
  EXPECT_EQ(fake.defaults.steps, 4);
  EXPECT_EQ(fake.defaults.size_multiple, 1);
  EXPECT_EQ(fake.fingerprint.size(), 64u);
}

TEST_F(CheckpointFolder, RecognisesTheTransformerWithoutAPipelineFile) {
  fs::remove(folder_ / "model/model_index.json");
  EXPECT_EQ(look().family, "z_image");
  set("transformer/config.json", "_class_name", "FluxTransformer2DModel");
  EXPECT_THAT(error(), HasSubstr("FluxTransformer2DModel"));
  EXPECT_THAT(error(ExitCode::bad_data, "z_image"), HasSubstr("FluxTransformer2DModel"));
}

TEST_F(CheckpointFolder, NamesModelsThatAreNotBuiltOrNotKnown) {
  set("model_index.json", "_class_name", "StableDiffusionPipeline");
  EXPECT_THAT(error(), HasSubstr("StableDiffusionPipeline"));
  EXPECT_NO_THROW(look(folder_ / "model", "z_image"));
  fs::remove_all(folder_ / "model");
  fs::create_directory(folder_ / "model");
  write("model/config.json", R"({"model_type": "qwen2_vl", "architectures": ["Qwen2VLForConditionalGeneration"]})");
  EXPECT_THAT(error(), HasSubstr("Qwen2VLForConditionalGeneration"));
  EXPECT_THAT(error(ExitCode::bad_data, "qwen2_5_vl"), HasSubstr("not qwen2_5_vl"));
  write("model/config.json", "{}");
  EXPECT_THAT(error(), HasSubstr("no model_index.json"));
}

TEST(Checkpoint, NewbieImageMayBeLaidOutAsReleasedOrAsConverted) {
  const fs::path golden = fs::path(TRIREME_SOURCE_DIR) / "tests/golden";
  std::set<std::string> fingerprints;
  for (const char* name : {"newbie_image", "newbie_image_diffusers"}) {
    Job job;
    job.model.path = golden / name;
    const Checkpoint found = inspect(job);
    EXPECT_EQ(found.family, "newbie_image");
    EXPECT_EQ(found.defaults.steps, 28);
    EXPECT_EQ(found.defaults.guidance, 5);
    EXPECT_EQ(found.defaults.shift, 6);
    EXPECT_EQ(found.defaults.size_multiple, 16);
    EXPECT_EQ(found.defaults.samplers, (std::vector<std::string>{"euler", "midpoint"}));
    EXPECT_THAT(found.defaults.system_prompt.value_or(""), HasSubstr("You are an assistant"));
    fingerprints.insert(found.fingerprint);
  }
  EXPECT_EQ(fingerprints.size(), 2u);
}

/// The files of a released folder but for the weights.
class QwenFolder : public CheckpointFolder {
 protected:
  QwenFolder() {
    fs::remove_all(folder_ / "model");
    fs::create_directory(folder_ / "model");
    write("model/config.json", R"({"architectures": ["Qwen2_5_VLForConditionalGeneration"]})");
    write("model/tokenizer.json", "{}");
  }
  SamplingDefaults with(const std::string& generation_config) {
    write("model/generation_config.json", generation_config);
    return look(folder_ / "model", "auto", "dummy").defaults;
  }
};

TEST_F(QwenFolder, TakesItsDefaultsAsGenerateDoes) {
  const SamplingDefaults released = with(R"({"bos_token_id": 151643, "pad_token_id": 151643, "do_sample": true,
    "eos_token_id": [151645, 151643], "repetition_penalty": 1.05, "temperature": 0.000001})");
  EXPECT_EQ(released.makes, Makes::text);
  EXPECT_EQ(released.temperature, 1e-6);
  EXPECT_EQ(released.top_k, 50);
  EXPECT_EQ(released.top_p, 1);
  EXPECT_EQ(released.repetition_penalty, 1.05);
  const SamplingDefaults early = with(R"({"do_sample": true, "temperature": 0.1, "top_k": 1, "top_p": 0.001})");
  EXPECT_EQ(early.top_k, 1);
  EXPECT_EQ(early.top_p, 0.001);
  EXPECT_EQ(with(R"({"temperature": 0.7, "top_k": null})").temperature, 0) << "greedy without do_sample";
  fs::remove(folder_ / "model/generation_config.json");
  const Checkpoint bare = look(folder_ / "model", "qwen2_5_vl", "dummy");
  EXPECT_EQ(bare.family, "qwen2_5_vl");
  EXPECT_EQ(bare.defaults.temperature, 0);
  EXPECT_EQ(bare.defaults.repetition_penalty, 1);
}

TEST_F(QwenFolder, RefusesAWayToGenerateThatItDoesNotHave) {
  EXPECT_THROW(with(R"({"num_beams": 4})"), Error);
  EXPECT_THROW(with(R"({"no_repeat_ngram_size": 3})"), Error);
  EXPECT_THROW(with(R"({"top_p": 0})"), Error);
  EXPECT_THROW(with(R"({"temperature": -1})"), Error);
  EXPECT_THROW(with(R"({"repetition_penalty": 0})"), Error);
}

TEST_F(QwenFolder, FingerprintDependsOnEveryFileThatIsThere) {
  const auto fingerprint = [&] { return look(folder_ / "model", "auto", "dummy").fingerprint; };
  const std::string bare = fingerprint();
  write("model/generation_config.json", "{}");
  const std::string with_generation = fingerprint();
  EXPECT_NE(bare, with_generation);
  write("model/preprocessor_config.json", "{}");
  EXPECT_NE(fingerprint(), with_generation);
}

TEST_F(CheckpointFolder, RefusesSchedulesThatItDoesNotRun) {
  const std::string file = "scheduler/scheduler_config.json";
  for (const char* key : {"use_dynamic_shifting", "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas",
                          "invert_sigmas", "stochastic_sampling"}) {
    set(file, key, true);
    EXPECT_THAT(error(), testing::AllOf(HasSubstr(file), HasSubstr(key)));
    restore();
  }
  set(file, "shift_terminal", 0.1);
  EXPECT_THAT(error(), HasSubstr("shift_terminal"));
  restore();
  set(file, "_class_name", "EulerDiscreteScheduler");
  EXPECT_THAT(error(), HasSubstr("EulerDiscreteScheduler"));
  restore();
  set(file, "shift", -1);
  EXPECT_THAT(error(), HasSubstr("shift"));
  set(file, "shift", "3");
  EXPECT_THAT(error(), HasSubstr("not a number"));
}

TEST_F(CheckpointFolder, NamesMissingAndDamagedFiles) {
  for (const char* file : {"scheduler/scheduler_config.json", "vae/config.json", "tokenizer/tokenizer.json",
                           "text_encoder/config.json", "text_encoder/model.safetensors"}) {
    fs::remove(folder_ / "model" / file);
    EXPECT_THAT(error(ExitCode::input_missing), HasSubstr(fs::path(file).parent_path().string()));
    restore();
  }
  write("model/vae/config.json", "{\"block_out_channels\": [1,}");
  EXPECT_THAT(error(), HasSubstr("vae/config.json:1:"));
  fs::remove_all(folder_ / "model");
  EXPECT_THAT(error(ExitCode::input_missing), HasSubstr("no such folder"));
}

TEST_F(CheckpointFolder, FingerprintsContentAndNotPlace) {
  const std::string copy = look().fingerprint;
  EXPECT_EQ(copy, look(tiny_).fingerprint);
  EXPECT_NE(copy, look(base_).fingerprint);
  EXPECT_NE(copy, look(tiny_, "auto", "dummy").fingerprint);
  write("model/README.md", "changed");
  EXPECT_EQ(look().fingerprint, copy);

  const std::string shard = "vae/diffusion_pytorch_model.safetensors";
  std::string bytes = read_file(folder_ / "model" / shard, 1 << 30);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  write("model/" + shard, bytes);
  EXPECT_NE(look().fingerprint, copy);
  restore();
  set("vae/config.json", "scaling_factor", 0.5);
  EXPECT_NE(look().fingerprint, copy);
}

TEST_F(CheckpointFolder, NeedsNoShardsForDummyWeights) {
  for (const auto& entry : fs::recursive_directory_iterator(tiny_)) {
    if (entry.path().extension() == ".safetensors") fs::remove(folder_ / "model" / fs::relative(entry.path(), tiny_));
  }
  EXPECT_NO_THROW(look(folder_ / "model", "auto", "dummy"));
  error(ExitCode::input_missing);
}

}  // namespace
}  // namespace trireme
