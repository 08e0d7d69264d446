// The user's mistakes end at once, with one line that names the place, and before any model is loaded.

#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/job_fixture.h"

namespace trireme::e2e {
namespace {

class BadInput : public JobTest {
 protected:
  void expect(const std::vector<std::string>& words, int code, const std::string& said) {
    const Ended ended = run(words, 30);
    EXPECT_EQ(ended.code, code) << ended.output;
    EXPECT_NE(ended.output.find(said), std::string::npos) << ended.output;
    EXPECT_LT(ended.seconds, 15);
  }
  std::vector<std::string> with(const std::string& override_) { return worker(1, "run", {"--set", override_}); }
};

}  // namespace

TEST_F(BadInput, TheJobFile) {
  prepare("one\n");
  expect({TRIREME_WORKER}, 64, "job");
  expect({TRIREME_WORKER, (root_ / "none.yaml").string()}, 66, "none.yaml");
  expect(with("sampling.stepz=4"), 78, "steps");
  expect(with("sampling.width=-1"), 78, "sampling.width");
  expect(with("dispatch.policy=predictiv"), 78, "did you mean 'predictive'?");
  const auto broken = write("broken.yaml", "model: {family: fake}\ninput: {prompts: p.txt}\nsampling:\n  seeed: 4\n");
  expect({TRIREME_WORKER, broken.string()}, 78, "broken.yaml:4:");
}

TEST_F(BadInput, ThePrompts) {
  prepare("one\n");
  expect(with("input.prompts=" + (root_ / "none.txt").string()), 66, "none.txt");
  const auto bad = [&](const std::string& line) {
    const auto file = write("bad.jsonl", "{\"id\": \"a\", \"prompt\": \"x\"}\n" + line + "\n");
    expect(with("input.prompts=" + file.string()), 65, "bad.jsonl:2");
  };
  bad("{\"id\": \"a\", \"prompt\": \"x\"}");
  bad("{\"id\": \"../../etc/passwd\", \"prompt\": \"x\"}");
  bad("{\"prompt\": \"x\", \"seed\": -1}");
  bad("{\"prompt\": \"x\", \"width\": 0}");
  bad("{\"prompt\": \"x\"");
  bad("{\"prompt\": \"\xff\"}");
}

TEST_F(BadInput, UnderMpirunItIsStillOneMessage) {
  prepare("one\n");
  const Ended ended = run(worker(3, "run", {"--set", "sampling.stepz=4"}), 30);
  EXPECT_EQ(ended.code, 78) << ended.output;
  const auto first = ended.output.find("stepz");
  ASSERT_NE(first, std::string::npos) << ended.output;
  EXPECT_EQ(ended.output.find("did you mean", ended.output.find("did you mean") + 1), std::string::npos)
      << ended.output;
}

TEST_F(BadInput, TheOutputFolder) {
  prepare("one\n");
  const auto file = write("a_file", "");
  expect(worker(1, "a_file"), 73, "a_file");
  if (geteuid() != 0) {
    chmod(root_.c_str(), 0500);
    expect(worker(1, "locked/run"), 73, "locked");
    chmod(root_.c_str(), 0700);
  }
}

TEST_F(BadInput, TheModelFolder) {
  prepare("one\n");
  const auto real = [&](const std::string& path) {
    return worker(1, "run",
                  {"--set", "model.family=auto", "--set", "model.path=" + path, "--set", "sampling.width=64", "--set",
                   "sampling.height=64"});
  };
  expect(real((root_ / "none").string()), 66, "none");
  std::filesystem::create_directory(root_ / "empty");
  expect(real((root_ / "empty").string()), 65, "empty");
}

TEST_F(BadInput, ADryRunChecksAndTouchesNothing) {
  prepare("one\ntwo\n");
  expect(worker(1, "run", {"--dry-run"}), 0, "2 items");
  EXPECT_FALSE(std::filesystem::exists(folder("run")));
}

}  // namespace trireme::e2e
