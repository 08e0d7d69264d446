#include "tests/e2e/job_fixture.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace trireme::e2e {
namespace {

namespace fs = std::filesystem;

const std::map<std::string, std::string>& environment() {
  static const std::map<std::string, std::string> variables = {
      {"OMPI_ALLOW_RUN_AS_ROOT", "1"}, {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"}, {"CUDA_VISIBLE_DEVICES", ""}};
  return variables;
}

}  // namespace

JobTest::JobTest() {
  std::string pattern = (fs::temp_directory_path() / "trireme-e2e-XXXXXX").string();
  root_ = mkdtemp(pattern.data());
}

JobTest::~JobTest() { fs::remove_all(root_); }

fs::path JobTest::write(const std::string& name, const std::string& text) const {
  std::ofstream(root_ / name, std::ios::binary) << text;
  return root_ / name;
}

void JobTest::prepare(const std::string& prompts, const std::string& more_yaml) {
  const fs::path file = write("prompts.txt", prompts);
  job_ = write("job.yaml",
               "model: {family: fake}\n"
               "sampling: {width: 24, height: 16}\n"
               "output: {tensors: true, directory: " +
                   (root_ / "default").string() +
                   "}\n"
                   "input: {prompts: " +
                   file.string() + "}\n" + more_yaml);
}

std::vector<std::string> JobTest::worker(int ranks, const std::string& run, std::vector<std::string> more) const {
  std::vector<std::string> words;
  if (ranks > 1) {
    words = {"mpirun", "--oversubscribe",    "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1",
             "-n",     std::to_string(ranks)};
  }
  words.insert(words.end(), {TRIREME_WORKER, job_.string(), "--set", "output.directory=" + folder(run).string()});
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::vector<std::string> JobTest::launcher(int ranks, const std::string& run, std::vector<std::string> more) const {
  std::vector<std::string> words = {TRIREME_LAUNCHER,
                                    "run",
                                    job_.string(),
                                    "-n",
                                    std::to_string(ranks),
                                    "--set",
                                    "output.directory=" + folder(run).string()};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Process JobTest::start(const std::vector<std::string>& words) const {
  return Process(words, environment(), root_ / "output.txt");
}

Ended JobTest::run(const std::vector<std::string>& words, double limit_seconds) const {
  return start(words).wait(limit_seconds);
}

std::string JobTest::text_of(const fs::path& file) const {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

std::size_t JobTest::results(const std::string& run) const {
  std::ifstream file(folder(run) / "results.jsonl");
  std::size_t count = 0;
  for (std::string line; std::getline(file, line);) ++count;
  return count;
}

std::size_t JobTest::pictures(const std::string& run) const {
  std::error_code none;
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(folder(run) / "images", none))
    count += entry.path().extension() == ".png";
  return count;
}

pid_t JobTest::pid_of_rank(const std::string& run, int rank) const {
  char name[32];
  std::snprintf(name, sizeof name, "rank-%05d.log", rank);
  const std::string text = text_of(folder(run) / name);
  const auto at = text.rfind("pid=");
  return at == std::string::npos ? 0 : std::atoi(text.c_str() + at + 4);
}

Ended JobTest::verify(const std::string& a, const std::string& b) const {
  return run({TRIREME_LAUNCHER, "verify", folder(a).string(), folder(b).string()});
}

}  // namespace trireme::e2e
