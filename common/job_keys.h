#pragma once
// The table behind common/job.cpp: every key of the full job file, with what it takes and how it is written.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/job.h"
#include "common/yaml_reader.h"

namespace trireme {

/// A key bound to a job's field.
struct JobKey {
  std::string_view section, name;
  std::function<void(const YamlNode&)> read;  // throws ConfigError for what it does not take
  std::function<std::string()> show;          // as YAML
};

/// In the order in which the file is written. Borrows the job.
std::vector<JobKey> keys_of(Job& job);

}  // namespace trireme
