// Memory that is short, and weights that stay on the host: whole jobs.

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

namespace fs = std::filesystem;

class Memory : public JobTest {
 protected:
  /// Lines of results.jsonl by id.
  std::map<std::string, nlohmann::json> results_of(const std::string& run) const {
    std::map<std::string, nlohmann::json> all;
    std::istringstream lines(text_of(folder(run) / "results.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      nlohmann::json json = nlohmann::json::parse(line);
      all[json.at("id")] = json;
    }
    return all;
  }
  nlohmann::json summary_of(const std::string& run) const {
    return nlohmann::json::parse(text_of(folder(run) / "summary.json"));
  }
  static std::vector<std::string> set(std::vector<std::string> values) {
    std::vector<std::string> words;
    for (std::string& value : values) words.insert(words.end(), {"--set", std::move(value)});
    return words;
  }
  void use_tiny_model() {
    const fs::path prompts = write("prompts.txt", "a red fox\na blue owl in a tree\na cat\na fish\nan emoji\n");
    job_ = write("job.yaml",
                 "model: {path: " + (fs::path(TRIREME_SOURCE_DIR) / "models/z_image_tiny").string() +
                     "}\nsampling: {width: 32, height: 32, steps: 2}\noutput: {tensors: true}\ninput: {prompts: " +
                     prompts.string() + "}\n");
  }
  void expect_equal(const std::string& a, const std::string& b) const {
    const Ended verdict = verify(a, b);
    EXPECT_EQ(verdict.code, 0) << a << " and " << b << "\n" << verdict.output;
  }
};

TEST_F(Memory, AnItemThatDoesNotFitFailsAndTheJobGoesOn) {
  prepare("fine\noom=1\noom=2 here\noom_decode=9\nfine, too\n");
  for (const int ranks : {1, 2}) {
    const std::string name = "ranks" + std::to_string(ranks);
    const Ended ended = run(worker(ranks, name));
    EXPECT_EQ(ended.code, 3) << ended.output;
    const auto results = results_of(name);
    ASSERT_EQ(results.size(), 5u);
    for (const char* id : {"000001", "000002", "000005"}) EXPECT_EQ(results.at(id).at("status"), "ok") << id;
    for (const char* id : {"000003", "000004"}) {
      EXPECT_EQ(results.at(id).at("status"), "failed") << id;
      EXPECT_EQ(results.at(id).at("error").get<std::string>().find("oom: out of device memory"), 0u) << id;
    }
    EXPECT_EQ(summary_of(name)["items"]["degraded"], 0);
  }
}

TEST_F(Memory, AskedToItDegradesTheResultAndSaysSo) {
  prepare("fine\noom_decode=1\noom_decode=2\noom_decode=9\n");
  for (const int ranks : {1, 2}) {
    const std::string name = "ranks" + std::to_string(ranks);
    const Ended ended = run(worker(ranks, name, set({"memory.on_oom=degrade"})));
    EXPECT_EQ(ended.code, 3) << ended.output;
    const auto results = results_of(name);
    EXPECT_FALSE(results.at("000002").contains("degraded"));
    EXPECT_EQ(results.at("000003").at("status"), "ok");
    EXPECT_EQ(results.at("000003").value("degraded", false), true);
    EXPECT_EQ(results.at("000004").at("status"), "failed");
    EXPECT_EQ(summary_of(name)["items"]["degraded"], 1);
    EXPECT_NE(ended.output.find("# 1 degraded"), std::string::npos) << ended.output;
    const Ended verdict = run({TRIREME_LAUNCHER, "verify", folder(name).string()});
    EXPECT_NE(verdict.output.find("000003 is degraded"), std::string::npos) << verdict.output;
  }
  EXPECT_EQ(run(worker(1, "ranks1", set({"memory.on_oom=degrade"}))).code, 3) << "a resume keeps what there is";
  EXPECT_EQ(summary_of("ranks1")["items"]["degraded"], 1);
}

TEST_F(Memory, ABatchThatDoesNotFitGoesItemByItem) {
  const fs::path prompts = write("prompts.txt", "one\noom_above=1\nthree\nfour\n");
  job_ = write("job.yaml",
               "model: {family: fake_text}\nsampling: {max_new_tokens: 3}\ndispatch: {batch: 4}\ninput: {prompts: " +
                   prompts.string() + "}\n");
  const Ended failed = run(worker(1, "fail"));
  EXPECT_EQ(failed.code, 3) << failed.output;
  EXPECT_EQ(summary_of("fail")["items"]["failed"], 4);
  const Ended degraded = run(worker(2, "degrade", set({"memory.on_oom=degrade"})));
  EXPECT_EQ(degraded.code, 0) << degraded.output;
  EXPECT_EQ(summary_of("degrade")["items"]["degraded"], 4);
  for (const auto& [id, result] : results_of("degrade"))
    EXPECT_FALSE(result.at("text").get<std::string>().empty()) << id;
}

TEST_F(Memory, StagesFailAnItemThatDoesNotFitAndRefuseToDegrade) {
  prepare("fine\noom=1\nfine, too\n");
  const Ended ended = run(worker(2, "cut", set({"parallel.stages=2"})));
  EXPECT_EQ(ended.code, 3) << ended.output;
  EXPECT_EQ(results_of("cut").at("000002").at("error").get<std::string>().find("oom: "), 0u);
  const Ended refused = run(worker(2, "refused", set({"parallel.stages=2", "memory.on_oom=degrade"})), 30);
  EXPECT_EQ(refused.code, 78);
  EXPECT_NE(refused.output.find("memory.on_oom: degrade is for ranks that each have the whole model"),
            std::string::npos)
      << refused.output;
}

TEST_F(Memory, WeightsOnTheHostChangeNoBits) {
  use_tiny_model();
  ASSERT_EQ(run(worker(1, "plain")).code, 0);
  for (const char* offload : {"text_encoder", "layers"}) {
    const std::string setting = std::string("memory.offload=") + offload;
    for (const int ranks : {1, 2}) {
      const std::string name = offload + std::to_string(ranks);
      const Ended ended = run(worker(ranks, name, set({setting})));
      ASSERT_EQ(ended.code, 0) << name << "\n" << ended.output;
      expect_equal("plain", name);
    }
    const std::string cut = std::string(offload) + "_cut";
    const Ended ended = run(worker(2, cut, set({setting, "parallel.stages=2", "parallel.split=[1.5, 2.5]"})));
    ASSERT_EQ(ended.code, 0) << cut << "\n" << ended.output;
    expect_equal("plain", cut);
  }
}

TEST_F(Memory, WeightsOnTheHostDoNotCountAsTheDevices) {
  use_tiny_model();
  const auto number_behind = [](const std::string& text, const std::string& words) {
    const std::size_t at = text.find(words);
    return at == std::string::npos ? 0.0 : std::atof(text.c_str() + at + words.size());
  };
  const auto weights = [&](const std::string& offload) {
    const Ended ended = run(worker(1, "none", set({"memory.fraction=1e-9", "memory.offload=" + offload})), 30);
    EXPECT_EQ(ended.code, 78) << ended.output;
    return std::pair(number_behind(ended.output, "the weights of rank 0 are "),
                     number_behind(ended.output, "its memory is "));
  };
  const auto [all, memory] = weights("none");
  ASSERT_GT(all, 0);
  EXPECT_LT(weights("text_encoder").first, all);
  EXPECT_LT(weights("layers").first, weights("text_encoder").first);
  char fraction[64];
  std::snprintf(fraction, sizeof fraction, "memory.fraction=%.12g", 0.9 * all / memory);
  const Ended refused = run(worker(1, "refused", set({fraction})), 30);
  EXPECT_EQ(refused.code, 78) << refused.output;
  EXPECT_NE(refused.output.find("or memory.offload: layers"), std::string::npos) << refused.output;
  EXPECT_EQ(run(worker(1, "fits", set({fraction, "memory.offload=layers"}))).code, 0);
}

TEST_F(Memory, ModelsThatWriteTextHaveNoTextEncoder) {
  const fs::path prompts = write("prompts.txt", "one\n");
  job_ = write("job.yaml", "model: {family: fake_text}\ninput: {prompts: " + prompts.string() + "}\n");
  const Ended refused = run(worker(1, "refused", set({"memory.offload=text_encoder"})), 30);
  EXPECT_EQ(refused.code, 78);
  EXPECT_NE(refused.output.find("memory.offload: only models that make pictures have a text encoder"),
            std::string::npos)
      << refused.output;
}

TEST_F(Memory, TheAllocatorTakesItsSettings) {
  prepare("fine\n");
  const char* settings =
      "memory.allocator=expandable_segments:True,max_split_size_mb:512,garbage_collection_threshold:0.8";
  const Ended ended = run(worker(1, "run", set({settings})));
  EXPECT_EQ(ended.code, 0) << ended.output;
}

}  // namespace
}  // namespace trireme::e2e
