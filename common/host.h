#pragma once
// This machine as a process of a job sees it. Any thread; nothing fails.

#include <map>
#include <string>

namespace trireme {

/// The variables of this process.
using Environment = std::map<std::string, std::string>;
Environment environment();

std::string host_name();
/// CPUs in this process' mask: a launcher may have bound it to one.
int usable_cpus();
/// Since the kernel made this process, before any library was loaded; to 10 ms. 0 where that can't be read.
double process_age_seconds();

}  // namespace trireme
