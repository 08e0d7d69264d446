#pragma once
// Linux' way to write sets of CPUs: "0-3,8".

#include <set>
#include <string>

namespace trireme::doctor {

/// What can't be read is left out.
std::set<int> parse_cpu_list(const std::string& text);
std::string to_cpu_list(const std::set<int>& cpus);

}  // namespace trireme::doctor
