#include "common/job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/errors.h"
#include "common/files.h"
#include "common/job_keys.h"
#include "common/prompts.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

/// A folder with a checkpoint folder, prompts and a job file in it.
class JobFile : public testing::Test {
 protected:
  fs::path write(const std::string& name, std::string_view bytes) const {
    write_file(folder_ / name, bytes, Durability::renamed);
    return folder_ / name;
  }

  JobFile() {
    fs::create_directories(folder_ / "model");
    write("prompts.txt", "a cat\n");
  }

  Job load(const std::string& text, const std::vector<std::string>& overrides = {}) {
    return load_job(write("job.yaml", text), overrides);
  }

  std::string error(const std::string& text, const std::vector<std::string>& overrides = {},
                    ExitCode code = ExitCode::config) {
    try {
      load(text, overrides);
    } catch (const ConfigError& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "no error for: " << text;
    return "";
  }

  /// The error that one override of the smallest job gets.
  std::string set_error(const std::string& override, ExitCode code = ExitCode::config) {
    return error(small_, {override}, code);
  }

  const TemporaryFolder folder_;
  const fs::path file_ = folder_ / "job.yaml";
  const std::string small_ = "model: {path: model}\ninput: {prompts: prompts.txt}\n";
};

TEST_F(JobFile, HasDefaultsForAllButModelAndPrompts) {
  const Job job = load(small_);
  EXPECT_EQ(job.model.path, folder_ / "model");
  EXPECT_EQ(job.input.prompts, folder_ / "prompts.txt");
  EXPECT_EQ(job.dispatch.policy, "predictive");
  EXPECT_EQ(job.sampling.width, 1024);
  EXPECT_FALSE(job.sampling.steps || job.sampling.guidance || job.sampling.shift || job.model.dtype);
  EXPECT_EQ(job.memory.fraction, 0.9);
  EXPECT_EQ(job.output.directory, "runs/first");
  EXPECT_THAT(error("input: {prompts: prompts.txt}"),
              AllOf(StartsWith(file_.string()), HasSubstr("model.path: missing")));
  EXPECT_THAT(error("model: {path: model}"), HasSubstr("input.prompts: missing"));
  EXPECT_THAT(error(""), HasSubstr("model.path: missing"));
  EXPECT_EQ(load("model: {family: fake}\ninput: {prompts: prompts.txt}\nmonitor:\n").model.path, "");
}

TEST_F(JobFile, ReadsEveryBuiltKey) {
  const Job job = load(R"(
model: {path: model, family: z_image, dtype: bfloat16, weights: dummy, read: once}
parallel: {threads: 2, transport: mpi}
dispatch: {policy: static, queue_depth: 3, batch: 2}
sampling: {width: 64, height: 8192, steps: 9, guidance: 4.5, negative_prompt: 'no: "x"', seed: 18446744073709551615,
           images_per_prompt: 3, cfg_truncation: 0.5, cfg_normalization: 1, shift: 6, sampler: midpoint,
           system_prompt: "be brief", max_new_tokens: 7, temperature: 0.7, top_k: 0, top_p: 0.5,
           repetition_penalty: 1.05}
memory: {fraction: 1, vae_slicing: true, vae_tiling: false, graphs: false, overlap: true, offload: layers,
         allocator: "expandable_segments:True,max_split_size_mb:512", on_oom: degrade}
input: {prompts: prompts.txt, image_root: model}
output: {directory: out, images: none, png_metadata: false, tensors: true}
monitor: {interval_seconds: 0.5}
limits: {max_attempts: 1, stall_timeout_seconds: 2.5}
)");
  EXPECT_EQ(job.model.family, "z_image");
  EXPECT_EQ(job.model.dtype, "bfloat16");
  EXPECT_EQ(job.parallel.transport, "mpi");
  EXPECT_EQ(job.dispatch.queue_depth, 3);
  EXPECT_EQ(job.dispatch.batch, 2);
  EXPECT_EQ(job.sampling.height, 8192);
  EXPECT_EQ(job.sampling.negative_prompt, "no: \"x\"");
  EXPECT_EQ(job.sampling.seed, UINT64_MAX);
  EXPECT_EQ(job.sampling.shift, 6);
  EXPECT_EQ(job.sampling.sampler, "midpoint");
  EXPECT_EQ(job.sampling.system_prompt, "be brief");
  EXPECT_EQ(job.sampling.max_new_tokens, 7);
  EXPECT_EQ(job.sampling.temperature, 0.7);
  EXPECT_EQ(job.sampling.top_k, 0);
  EXPECT_EQ(job.sampling.top_p, 0.5);
  EXPECT_EQ(job.sampling.repetition_penalty, 1.05);
  EXPECT_EQ(job.input.image_root, folder_ / "model");
  EXPECT_EQ(job.memory.vae_tiling, false);
  EXPECT_EQ(job.memory.graphs, false);
  EXPECT_EQ(job.memory.overlap, true);
  EXPECT_EQ(job.memory.offload, "layers");
  EXPECT_EQ(job.memory.allocator, "expandable_segments:True,max_split_size_mb:512");
  EXPECT_EQ(job.memory.on_oom, "degrade");
  EXPECT_EQ(job.output.images, "none");
  EXPECT_EQ(job.limits.stall_timeout_seconds, 2.5);
}

TEST_F(JobFile, WritesYamlThatReadsBackTheSame) {
  const Job job =
      load(small_, {"sampling.negative_prompt=a \"b\"\\ é\x1b", "sampling.guidance=0.1", "memory.vae_tiling=true",
                    "sampling.seed=18446744073709551615", "parallel.transport=nccl"});
  const std::string yaml = to_yaml(job);
  EXPECT_THAT(yaml, HasSubstr("  steps: auto\n"));
  EXPECT_THAT(yaml, HasSubstr("  stages: 1\n"));
  EXPECT_EQ(to_yaml(load(yaml)), yaml);
  EXPECT_EQ(load(yaml).sampling.negative_prompt, job.sampling.negative_prompt);
}

TEST_F(JobFile, AcceptsItsFullFormAtDefaults) {
  EXPECT_NO_THROW(load(R"(
model:    {path: model, family: auto, dtype: auto, weights: checkpoint, read: once, cache: ""}
parallel: {stages: 1, split: auto, micro_batches: auto, guidance: 1, threads: 1, transport: auto}
dispatch: {policy: predictive, queue_depth: auto, batch: auto}
sampling: {width: 1024, height: 1024, steps: auto, guidance: auto, negative_prompt: "", seed: 0, images_per_prompt: 1,
           cfg_truncation: 1.0, cfg_normalization: 0, shift: auto, sampler: auto, system_prompt: auto,
           max_new_tokens: 128, temperature: auto, top_k: auto, top_p: auto, repetition_penalty: auto}
memory:   {fraction: 0.9, vae_slicing: auto, vae_tiling: auto, graphs: auto, overlap: auto,
           offload: none, allocator: auto, on_oom: fail}
input:    {prompts: prompts.txt, image_root: auto}
output:   {directory: runs/first, images: png, png_metadata: true, tensors: false, write: gathered, metrics_file: ""}
monitor:  {interval_seconds: 5, gpu_memory_percent: 90, gpu_temperature_c: 85, ram_percent: 90}
limits:   {max_attempts: 2, stall_timeout_seconds: 600, stop_before_seconds: 0}
)"));
}

TEST_F(JobFile, ReadsASplitAsAListOrBehindSet) {
  const std::vector<double> split{8, 7.5, 7.5};
  EXPECT_EQ(load(small_ + "parallel: {stages: 3, split: [8, 7.5, 7.5]}").parallel.split, split);
  EXPECT_EQ(load(small_, {"parallel.split=[8, 7.5,7.5]"}).parallel.split, split);
  EXPECT_EQ(load(small_, {"parallel.split=8,7.5,7.5"}).parallel.split, split);
  EXPECT_EQ(load(small_ + "parallel: {split: auto}").parallel.split, std::nullopt);
  EXPECT_THAT(to_yaml(load(small_, {"parallel.split=[8, 7.5]"})), HasSubstr("split: [8.0, 7.5]"));
}

TEST_F(JobFile, KnowsFloat8AndRefusesFloat16) {
  EXPECT_EQ(load(small_, {"model.dtype=fp8"}).model.dtype, "fp8");
  EXPECT_THAT(set_error("model.dtype=float16"), AllOf(HasSubstr("black pictures"), HasSubstr("use bfloat16")));
}

TEST_F(JobFile, TakesSettingsOfTheAllocatorThatChangeNoBits) {
  for (const char* settings : {"expandable_segments:True", "garbage_collection_threshold:0.8,max_split_size_mb:21"}) {
    EXPECT_EQ(load(small_, {std::string("memory.allocator=") + settings}).memory.allocator, settings);
  }
  EXPECT_EQ(load(small_, {"memory.allocator=auto"}).memory.allocator, std::nullopt);
  const auto error = [&](const std::string& settings) { return set_error("memory.allocator=" + settings); };
  EXPECT_THAT(error("max_split_size_mb:20"), HasSubstr("max_split_size_mb:20: must be a whole number from 21"));
  EXPECT_THAT(error("max_split_size_mb:5e2"), HasSubstr("must be a whole number"));
  EXPECT_THAT(error("max_split_size_mb"), HasSubstr("must be a whole number"));
  EXPECT_THAT(error("expandable_segments:true"), HasSubstr("must be True or False"));
  EXPECT_THAT(error("garbage_collection_threshold:1"), HasSubstr("must be between 0 and 1"));
  EXPECT_THAT(error("expandable_segment:True"), HasSubstr("did you mean"));
  EXPECT_THAT(error("expandable_segments:True,expandable_segments:False"), HasSubstr("twice"));
  EXPECT_THAT(error("expandable_segments:True,"), HasSubstr("unknown setting ''"));
  EXPECT_THAT(error("backend:cudaMallocAsync"), HasSubstr("memory.fraction"));
}

TEST_F(JobFile, RefusesValuesOutOfRange) {
  for (const char* override : {"sampling.width=0",
                               "sampling.width=8",
                               "sampling.height=8193",
                               "sampling.width=-64",
                               "sampling.width=64.0",
                               "sampling.steps=0",
                               "sampling.steps=1001",
                               "sampling.steps=1e3",
                               "sampling.guidance=-1",
                               "sampling.guidance=100.5",
                               "sampling.guidance=.nan",
                               "sampling.guidance=.inf",
                               "sampling.seed=-1",
                               "sampling.seed=1.5",
                               "sampling.seed=abc",
                               "sampling.seed=18446744073709551616",
                               "sampling.seed=010",
                               "sampling.seed=",
                               "sampling.images_per_prompt=0",
                               "sampling.shift=0",
                               "sampling.cfg_truncation=1.5",
                               "sampling.cfg_normalization=-1",
                               "sampling.sampler=dpm",
                               "sampling.max_new_tokens=0",
                               "sampling.temperature=-1",
                               "sampling.top_k=-1",
                               "sampling.top_p=0",
                               "sampling.top_p=1.1",
                               "sampling.repetition_penalty=0",
                               "memory.fraction=0",
                               "memory.fraction=1.01",
                               "memory.vae_tiling=yes",
                               "memory.vae_slicing=false",
                               "memory.offload=cpu",
                               "memory.on_oom=retry",
                               "output.tensors=on",
                               "output.tensors=1",
                               "output.images=jpeg",
                               "parallel.threads=0",
                               "parallel.stages=0",
                               "parallel.split=[0, 4]",
                               "parallel.split=[]",
                               "parallel.split=[1.25, 2]",
                               "parallel.split=[2; 2]",
                               "parallel.micro_batches=0",
                               "dispatch.queue_depth=0",
                               "dispatch.batch=0",
                               "monitor.interval_seconds=0",
                               "limits.max_attempts=0",
                               "limits.stall_timeout_seconds=0",
                               "parallel.transport=strict",
                               "output.directory="}) {
    EXPECT_THAT(set_error(override), Not(HasSubstr("not available yet")));
  }
  EXPECT_EQ(error("model: {path: model}\nsampling:\n  steps: 0\ninput: {prompts: prompts.txt}"),
            file_.string() + ":3:10: sampling.steps: 0 is out of range; allowed: 1 to 1000");
  EXPECT_NO_THROW(load("model: {family: fake}\ninput: {prompts: prompts.txt}\nsampling: {width: 1, height: 1}"));
}

TEST_F(JobFile, SuggestsTheKeyThatWasMeant) {
  EXPECT_EQ(error("sampling:\n  widht: 64\n" + small_),
            file_.string() + ":2:10: sampling.widht: unknown key; did you mean 'width'?");
  EXPECT_THAT(error("smapling: {}\n" + small_), EndsWith("smapling: unknown key; did you mean 'sampling'?"));
  EXPECT_THAT(set_error("dispatch.policy=least-loaded"), EndsWith("did you mean 'least_loaded'?"));
  EXPECT_THAT(set_error("sampling.step=4"), EndsWith("did you mean 'steps'?"));
  EXPECT_THAT(set_error("zzz.a=4"), StartsWith("--set zzz.a=4: zzz: unknown key"));
  EXPECT_THAT(set_error("model=x"), HasSubstr("not a map of keys"));
  EXPECT_THAT(error("just text"), HasSubstr("not a job file"));
}

TEST_F(JobFile, TakesTheLastOverride) {
  EXPECT_EQ(load(small_, {"sampling.steps=4", "sampling.steps=5"}).sampling.steps, 5);
  EXPECT_FALSE(load(small_ + "sampling: {steps: 7}", {"sampling.steps=auto"}).sampling.steps);
}

TEST_F(JobFile, NamesBothPlacesWhereInputWasSought) {
  const std::string message = set_error("input.prompts=gone.txt", ExitCode::input_missing);
  EXPECT_THAT(message, HasSubstr((fs::current_path() / "gone.txt").string()));
  EXPECT_THAT(message, HasSubstr((folder_ / "gone.txt").string()));
  EXPECT_THAT(set_error("model.path=/nowhere/x", ExitCode::input_missing), HasSubstr("/nowhere/x"));
  EXPECT_THAT(set_error("model.path=prompts.txt", ExitCode::input_missing), HasSubstr("not a folder"));
  EXPECT_THROW(load_job(folder_ / "none.yaml", {}), ConfigError);
}

TEST(Configs, AreCompleteJobsWithReadablePrompts) {
  const std::set<std::string> kTextConfigs = {"qwen2_5_vl_7b", "emoji_describe"};
  const fs::path configs = fs::path(TRIREME_SOURCE_DIR) / "configs";
  int checked = 0;
  for (const auto& entry : fs::directory_iterator(configs)) {
    if (entry.path().extension() != ".yaml") continue;
    const bool text = kTextConfigs.contains(entry.path().stem());
    const bool pictures_come_later = entry.path().stem() == "emoji_describe";  // from another job
    std::vector<std::string> same = {"model.family=fake", "model.path="};
    if (pictures_come_later) same.push_back("input.image_root=auto");
    const Job job = load_job(entry.path(), same);
    const std::vector<Item> items =
        read_items(job, {.makes = text ? Makes::text : Makes::pictures, .steps = 8, .size_multiple = 16});
    EXPECT_FALSE(items.empty()) << entry.path();
    if (pictures_come_later) continue;
    for (const Item& item : items) EXPECT_EQ(item.error, "") << entry.path() << " " << item.id;
    ++checked;
  }
  EXPECT_GE(checked, 4);
}

TEST(Configs, TheAnnotatedJobShowsTheDefaultsOfEveryKey) {
  const fs::path file = fs::path(TRIREME_SOURCE_DIR) / "configs" / "z_image_turbo.yaml";
  const std::vector<std::string> same = {"model.family=fake",
                                         "input.prompts=" + (file.parent_path() / "prompts/fake.jsonl").string(),
                                         "output.directory=out", "model.path="};
  const TemporaryFolder folder;
  write_file(folder / "empty.yaml", "", Durability::renamed);
  EXPECT_EQ(to_yaml(load_job(file, same)), to_yaml(load_job(folder / "empty.yaml", same)));
  const YamlNode yaml = read_yaml(file);
  Job job;
  for (const JobKey& key : keys_of(job)) {
    const YamlNode* section = yaml.find(key.section);
    EXPECT_TRUE(section != nullptr && section->find(key.name) != nullptr) << key.section << "." << key.name;
  }
}

TEST(Formats, ListEveryKeyWithItsDefault) {
  const std::string page = read_file(fs::path(TRIREME_SOURCE_DIR) / "docs" / "formats.md", 1 << 20);
  Job job;
  for (const JobKey& key : keys_of(job)) {
    const std::string row =
        "\n| `" + std::string(key.section) + "." + std::string(key.name) + "` | `" + key.show() + "` |";
    EXPECT_NE(page.find(row), std::string::npos) << row;
  }
}

}  // namespace
}  // namespace trireme
