// Every alert, from its cause to the log, status.json and the metrics file: GPUs are those of a fake driver, the disk
// is a small one, and a replica is slow because it is stopped again and again.

#include <csignal>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string quick_items(int count) {
  std::string prompts;
  for (int i = 0; i < count; ++i) prompts += "picture " + std::to_string(i) + " cost=0.05\n";
  return prompts;
}

class Alerts : public JobTest {
 protected:
  Alerts() {
    fs::create_directory(root_ / "driver");
    fs::create_symlink(TRIREME_FAKE_NVML, root_ / "driver/libnvidia-ml.so.1");
  }

  /// On a node whose GPUs are as fake_nvml.h reads them.
  Process start_with(const std::string& gpus, const std::vector<std::string>& words) const {
    return Process(words,
                   {{"OMPI_ALLOW_RUN_AS_ROOT", "1"},
                    {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"},
                    {"CUDA_VISIBLE_DEVICES", ""},
                    {"LD_LIBRARY_PATH", (root_ / "driver").string()},
                    {"FAKE_NVML", gpus}},
                   root_ / "output.txt");
  }

  /// Now in status.json: kind, and GPU or replica.
  std::set<std::pair<std::string, int>> alerts(const std::string& run) const {
    std::set<std::pair<std::string, int>> found;
    const json status = json::parse(text_of(folder(run) / "status.json"), nullptr, /*allow_exceptions=*/false);
    if (status.is_discarded()) return found;
    for (const json& alert : status.at("alerts")) found.emplace(alert.at("kind"), alert.value("device", -1));
    return found;
  }
  std::size_t said(const std::string& run, const std::string& words) const {
    const std::string log = text_of(folder(run) / "rank-00000.log");
    std::size_t count = 0;
    for (std::size_t at = log.find(words); at != std::string::npos; at = log.find(words, at + 1)) ++count;
    return count;
  }
};

}  // namespace

TEST_F(Alerts, OfGpusAndRamAreSaidOnceAndStandInStatusAndMetrics) {
  prepare(quick_items(20), "monitor: {interval_seconds: 0.1}\n");
  const std::string metrics = (root_ / "metrics.prom").string();
  const Ended ended =
      start_with("temperature=86; memory_percent=95; throttle_reasons=0x44; uncorrected=2; temperature=85",
                 worker(2, "run", {"--set", "monitor.ram_percent=0", "--set", "output.metrics_file=" + metrics}))
          .wait();
  ASSERT_EQ(ended.code, 0) << ended.output;
  const std::set<std::pair<std::string, int>> wanted = {
      {"gpu_temperature", 0}, {"gpu_memory", 1}, {"gpu_throttling", 2}, {"gpu_ecc", 3}, {"ram", -1}};
  EXPECT_EQ(alerts("run"), wanted) << text_of(folder("run") / "status.json");
  for (const char* words : {"alert: 86 C", "alert: 95 % of the memory is used",
                            "alert: the clock is held down: hardware_thermal", "alert: 2 uncorrected memory errors"}) {
    EXPECT_EQ(said("run", words), 1u) << words;
  }
  EXPECT_EQ(said("run", "of the RAM is used"), 1u);
  const std::string text = text_of(metrics);
  for (const auto& [kind, device] : wanted) EXPECT_NE(text.find("kind=\"" + kind + "\""), std::string::npos) << text;
  EXPECT_NE(text.find("UUID=\"GPU-4\""), std::string::npos) << "a healthy GPU is in the metrics, too";
}

TEST_F(Alerts, AHealthyNodeHasNone) {
  prepare(quick_items(4), "monitor: {interval_seconds: 0.1}\n");
  const Ended ended =
      start_with("temperature=85; memory_percent=90; throttle_reasons=0x4",
                 worker(2, "run", {"--set", "monitor.ram_percent=100", "--set", "dispatch.policy=static"}))
          .wait();
  ASSERT_EQ(ended.code, 0) << ended.output;
  std::set<std::pair<std::string, int>> found = alerts("run");
  found.erase({"disk", -1});  // this machine's
  EXPECT_TRUE(found.empty()) << text_of(folder("run") / "status.json");
  EXPECT_EQ(json::parse(text_of(folder("run") / "status.json")).at("nodes").at(0).at("gpus").size(), 3u);
}

TEST_F(Alerts, ADiskThatIsNearlyFullIsNamed) {
  const std::string mount = "mount -t tmpfs -o size=64m tmpfs " + folder("run").string();
  fs::create_directory(folder("run"));
  fs::create_directory(root_ / "kept");
  if (run({"unshare", "-rm", "sh", "-c", mount}, 5).code != 0) GTEST_SKIP() << "no mounts of one's own here";
  prepare(quick_items(4), "monitor: {interval_seconds: 0.1}\n");
  std::vector<std::string> words = {
      "unshare",
      "-rm",
      "sh",
      "-c",
      mount + " && \"$@\" && cp -r " + folder("run").string() + "/. " + folder("kept").string(),
      "sh"};
  const std::vector<std::string> job = worker(1, "run");
  words.insert(words.end(), job.begin(), job.end());
  const Ended ended = run(words);
  ASSERT_EQ(ended.code, 0) << ended.output;
  EXPECT_TRUE(alerts("kept").contains({"disk", -1})) << text_of(folder("kept") / "status.json");
  EXPECT_EQ(said("kept", "MiB are left on the run directory's disk"), 1u);
}

TEST_F(Alerts, ASlowReplicaIsNamedWhileItIsSlow) {
  prepare(quick_items(600), "monitor: {interval_seconds: 0.1}\n");
  Process job = start(worker(3, "run"));
  ASSERT_TRUE(eventually([&] { return pid_of_rank("run", 2) > 0 && pictures("run") > 6; }));
  const pid_t slow = pid_of_rank("run", 2);
  // Stopped four looks of five: what it waits for in its slices takes so much longer.
  int looks = 0;
  const bool named = eventually([&] {
    kill(slow, ++looks % 5 == 0 ? SIGCONT : SIGSTOP);
    return alerts("run").contains({"slow_replica", 2});
  });
  kill(slow, SIGCONT);
  EXPECT_TRUE(named) << text_of(folder("run") / "status.json");
  EXPECT_TRUE(eventually([&] {
    return !alerts("run").contains({"slow_replica", 2});
  })) << "it is as fast as the others";
  job.signal(SIGTERM);
  job.wait();
  EXPECT_GE(said("run", "a replica is more than 1.5 times as slow as the median of all replica=2"), 1u);
}

}  // namespace trireme::e2e
