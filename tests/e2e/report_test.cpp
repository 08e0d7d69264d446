// A page about real runs: of the fake family, of the model that ships with the project, of one that was killed.

#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

namespace fs = std::filesystem;

class Report : public JobTest {
 protected:
  Ended report(std::vector<std::string> runs, const std::string& out) const {
    std::vector<std::string> words = {TRIREME_LAUNCHER, "report", "-o", folder(out).string()};
    for (const std::string& name : runs) words.push_back(folder(name).string());
    return run(words);
  }
  std::string page(const std::string& out) const { return text_of(folder(out) / "report.html"); }

  static std::size_t count(const std::string& text, const std::string& word) {
    std::size_t found = 0;
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++found;
    return found;
  }
  static bool has(const std::string& text, const std::string& word) { return text.find(word) != std::string::npos; }
  static void expect_self_contained(const std::string& html) {
    for (const char* word : {"http:", "https:", "<script", "<link", "@import", "url("}) {
      EXPECT_FALSE(has(html, word)) << word;
    }
    EXPECT_EQ(count(html, "src="), count(html, "src=\"data:image/png;base64,"));
  }
};

}  // namespace

TEST_F(Report, TellsWhatARunMadeAndWhereItsTimeWent) {
  prepare(
      "<script>alert(1)</script> cost=0.1\nfail \"quoted\" & 'so'\n狐狸 🦊 cost=0.3\nשלום cost=0.1\nfive "
      "cost=0.1\n",
      "monitor: {interval_seconds: 0.1}\n");
  ASSERT_EQ(run(worker(2, "run", {"--trace"})).code, 3);
  const Ended made = run({TRIREME_LAUNCHER, "report", folder("run").string()});
  ASSERT_EQ(made.code, 0) << made.output;
  const std::string html = page("run"), markdown = text_of(folder("run") / "report.md");
  expect_self_contained(html);
  EXPECT_TRUE(has(html, "&lt;script&gt;alert(1)&lt;/script&gt; cost=0.1"));
  EXPECT_TRUE(has(html, "狐狸 🦊 cost=0.3"));
  EXPECT_EQ(count(html, "<img "), 4u);
  for (const std::string& text : {html, markdown}) {
    for (const char* word :
         {"4 of 5", "the prompt asks to fail", "Where the time went", "Balance score", "lower bound"}) {
      EXPECT_TRUE(has(text, word)) << word;
    }
    EXPECT_FALSE(has(text, "What is missing"));
  }
  EXPECT_TRUE(has(html, "rank 1")) << "a row of the timeline";
  EXPECT_TRUE(has(html, "denoise unit")) << "from the trace";
  EXPECT_TRUE(has(html, "CPU, all cores"));
  EXPECT_TRUE(has(html, "family: fake"));
  const auto summary = nlohmann::json::parse(text_of(folder("run") / "summary.json"));
  EXPECT_GT(summary.at("lower_bound_seconds").get<double>(), 0.25) << "0.3 s of sleep by another clock";
  EXPECT_GE(summary.at("over_lower_bound").get<double>(), 1);
  EXPECT_EQ(run(worker(2, "run", {"--fresh"})).code, 3);
  EXPECT_FALSE(fs::exists(folder("run") / "report.html")) << "a fresh start removes the former run's report";
}

TEST_F(Report, OfAKilledRunIsMadeFromWhatIsThere) {
  std::string prompts;
  for (int i = 0; i < 40; ++i) prompts += "狐狸 <b>" + std::to_string(i) + "</b> cost=0.2\n";
  prepare(prompts);
  Process job = start(worker(2, "run"));
  ASSERT_TRUE(eventually([&] { return pictures("run") >= 4 && pid_of_rank("run", 1) > 0; }));
  ASSERT_EQ(kill(pid_of_rank("run", 1), SIGKILL), 0);
  job.wait();
  ASSERT_EQ(report({"run"}, "out").code, 0);
  const std::string html = page("out");
  EXPECT_TRUE(has(html, "summary.json is not there"));
  EXPECT_TRUE(has(html, "has not ended by itself"));
  EXPECT_TRUE(has(html, "neither finished nor failed"));
  EXPECT_TRUE(has(html, "狐狸 &lt;b&gt;0&lt;/b&gt;")) << "the prompt stands in the picture's file, too";
  EXPECT_GE(count(html, "<img "), 3u);
}

TEST_F(Report, DrawsWhatTheDriverSaysOfEachGpu) {
  fs::create_directory(root_ / "driver");
  fs::create_symlink(TRIREME_FAKE_NVML, root_ / "driver/libnvidia-ml.so.1");
  prepare("one cost=0.3\ntwo cost=0.3\nthree cost=0.3\nfour cost=0.3\n", "monitor: {interval_seconds: 0.1}\n");
  const Ended ended = Process(worker(2, "run"),
                              {{"OMPI_ALLOW_RUN_AS_ROOT", "1"},
                               {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"},
                               {"CUDA_VISIBLE_DEVICES", ""},
                               {"LD_LIBRARY_PATH", (root_ / "driver").string()},
                               {"FAKE_NVML", "temperature=71; temperature=91"}},
                              root_ / "output.txt")
                          .wait();
  ASSERT_EQ(ended.code, 0) << ended.output;
  ASSERT_EQ(report({"run"}, "out").code, 0);
  const std::string html = page("out");
  EXPECT_TRUE(has(html, "mean 71.0, most 71.0 C"));
  EXPECT_TRUE(has(html, "mean 91.0, most 91.0 C"));
  EXPECT_GE(count(html, "<polyline class=\"curve\""), 8u) << "four curves of each GPU";
  EXPECT_TRUE(has(html, "gpu_temperature")) << "an alert";
  EXPECT_TRUE(has(html, "no GPU of its ranks was found")) << "the ranks ran on the CPU: nobody's energy is theirs";
}

TEST_F(Report, HasASampleFromTheEndHoweverLongTheInterval) {
  prepare("one cost=0.5\ntwo cost=0.5\n", "monitor: {interval_seconds: 3600}\n");
  ASSERT_EQ(run(worker(1, "run")).code, 0);
  std::string last;
  std::istringstream lines(text_of(folder("run") / "monitor.jsonl"));
  for (std::string line; std::getline(lines, line);) last = line;
  const auto moment = nlohmann::json::parse(last);
  const double begin = moment.at("unix_seconds").get<double>() - moment.at("seconds").get<double>();
  EXPECT_GE(moment.at("nodes").at(0).at("unix_seconds").get<double>() - begin, 0.9);
}

TEST_F(Report, ComparesRunsOfTheSmallModel) {
  const fs::path model = fs::path(TRIREME_SOURCE_DIR) / "models/emoji";
  const fs::path prompts = write("prompts.jsonl",
                                 "{\"id\": \"fox\", \"prompt\": \"a fox\"}\n{\"id\": \"melon\", \"prompt\": \"西瓜\"}\n"
                                 "{\"id\": \"pizza\", \"prompt\": \"pizza\"}\n");
  job_ = write("job.yaml", "model: {path: " + model.string() +
                               "}\nsampling: {width: 128, height: 128}\ninput: {prompts: " + prompts.string() + "}\n");
  for (const int ranks : {1, 2}) {
    const Ended ended = run(worker(ranks, "n" + std::to_string(ranks)), 200);
    ASSERT_EQ(ended.code, 0) << ended.output;
  }
  const Ended made = report({"n1", "n2"}, "out");
  ASSERT_EQ(made.code, 0) << made.output;
  const std::string html = page("out");
  expect_self_contained(html);
  EXPECT_TRUE(has(html, "All runs have one run id"));
  EXPECT_TRUE(has(html, "Efficiency over ranks"));
  EXPECT_TRUE(has(html, "西瓜"));
  EXPECT_EQ(count(html, "<img "), 12u) << "three items of two runs side by side, and in each run's own sections";
}

TEST_F(Report, RefusesAFolderThatIsNoRun) {
  fs::create_directory(folder("empty"));
  for (const char* name : {"empty", "missing"}) {
    const Ended refused = report({name}, "out");
    EXPECT_EQ(refused.code, 66) << refused.output;
    EXPECT_EQ(count(refused.output, "\n"), 1u) << refused.output;
  }
  EXPECT_FALSE(fs::exists(folder("out") / "report.html"));
}

}  // namespace trireme::e2e
