#include "common/job.h"

#include <system_error>

#include "common/errors.h"
#include "common/job_keys.h"
#include "common/utf8.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string_view>;

Words sections_of(const std::vector<JobKey>& keys) {
  Words sections;
  for (const JobKey& key : keys) {
    if (sections.empty() || sections.back() != key.section) sections.push_back(key.section);
  }
  return sections;
}

void refuse_unknown_keys(const YamlNode& root, const std::vector<JobKey>& keys) {
  refuse_unknown(root, sections_of(keys));
  for (const auto& [section, node] : root.entries) {
    if (node.kind == YamlNode::Kind::null) continue;  // all of its keys are commented out
    if (node.kind != YamlNode::Kind::map) node.fail("not a map of keys");
    Words known;
    for (const JobKey& key : keys) {
      if (key.section == section) known.push_back(key.name);
    }
    refuse_unknown(node, known);
  }
}

/// A job file's view of its own text: where a key stands, for messages about its value.
struct Source {
  const YamlNode& root;
  const fs::path& file;

  [[noreturn]] void fail(std::string_view section, std::string_view key, const std::string& fact,
                         ExitCode code = ExitCode::config) const {
    const YamlNode* map = root.find(section);
    const YamlNode* node = map == nullptr ? nullptr : map->find(key);
    const std::string place = node == nullptr ? file.string() : node->place;
    throw ConfigError(place + ": " + std::string(section) + "." + std::string(key) + ": " + fact, code);
  }
};

/// The path from the current directory, else beside the job file.
fs::path find_input(const fs::path& typed, const Source& source, std::string_view section, std::string_view key) {
  std::error_code ignored;
  if (fs::exists(typed, ignored)) return typed;
  std::string tried = fs::absolute(typed, ignored).lexically_normal().string();
  if (typed.is_relative()) {
    const fs::path beside = source.file.parent_path() / typed;
    if (fs::exists(beside, ignored)) return beside;
    tried += " and " + fs::absolute(beside, ignored).lexically_normal().string();
  }
  source.fail(section, key, "not found: tried " + printable(tried, 1000), ExitCode::input_missing);
}

void check_and_find(Job& job, const Source& source) {
  const bool fake = job.model.family.starts_with("fake");
  if (!fake) {
    if (job.model.path.empty()) source.fail("model", "path", "missing; name a checkpoint folder, or set family: fake");
    job.model.path = find_input(job.model.path, source, "model", "path");
    if (!fs::is_directory(job.model.path)) source.fail("model", "path", "not a folder", ExitCode::input_missing);
    constexpr int kSmallest = 16;
    for (const auto& [name, pixels] : {std::pair("width", job.sampling.width), {"height", job.sampling.height}}) {
      if (pixels < kSmallest)
        source.fail("sampling", name,
                    std::to_string(pixels) + " is out of range; allowed: " + std::to_string(kSmallest) + " to " +
                        std::to_string(kMaxPixels));
    }
  }
  if (job.input.prompts.empty()) source.fail("input", "prompts", "missing; name a .txt, .jsonl or .yaml file");
  job.input.prompts = find_input(job.input.prompts, source, "input", "prompts");
  if (job.input.image_root) {
    job.input.image_root = find_input(*job.input.image_root, source, "input", "image_root");
    if (!fs::is_directory(*job.input.image_root)) {
      source.fail("input", "image_root", "not a folder", ExitCode::input_missing);
    }
  }
  if (job.output.directory.empty()) source.fail("output", "directory", "empty; name a folder for the run");
}

}  // namespace

Job load_job(const fs::path& file, const std::vector<std::string>& overrides) {
  YamlNode root = read_yaml(file);
  if (root.kind == YamlNode::Kind::scalar || root.kind == YamlNode::Kind::list) {
    root.fail("not a job file: no map of sections such as model, input, output");
  }
  for (const std::string& assignment : overrides) apply_override(root, assignment);

  Job job;
  job.file = file;
  const std::vector<JobKey> keys = keys_of(job);
  refuse_unknown_keys(root, keys);
  for (const JobKey& key : keys) {
    const YamlNode* section = root.find(key.section);
    if (const YamlNode* node = section == nullptr ? nullptr : section->find(key.name)) key.read(*node);
  }
  check_and_find(job, {root, file});
  return job;
}

std::string to_yaml(const Job& job) {
  Job copy = job;
  std::string yaml;
  std::string_view section;
  for (const JobKey& key : keys_of(copy)) {
    if (key.section != section) yaml += std::string(key.section) + ":\n";
    section = key.section;
    yaml += "  " + std::string(key.name) + ": " + key.show() + "\n";
  }
  return yaml;
}

}  // namespace trireme
