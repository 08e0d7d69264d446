#include "worker/doctor/cpu_list.h"

#include <cstdio>
#include <sstream>

namespace trireme::doctor {

std::set<int> parse_cpu_list(const std::string& text) {
  constexpr int kMost = 1 << 16;
  std::set<int> cpus;
  std::istringstream ranges(text);
  for (std::string range; std::getline(ranges, range, ',');) {
    int first = 0, last = 0;
    const int numbers = std::sscanf(range.c_str(), "%d-%d", &first, &last);
    if (numbers < 1) continue;
    if (numbers == 1) last = first;
    for (int cpu = first; cpu <= last && cpu < kMost; ++cpu) cpus.insert(cpu);
  }
  return cpus;
}

std::string to_cpu_list(const std::set<int>& cpus) {
  std::string text;
  for (auto cpu = cpus.begin(); cpu != cpus.end();) {
    const int first = *cpu;
    int last = first;
    while (++cpu != cpus.end() && *cpu == last + 1) last = *cpu;
    text += (text.empty() ? "" : ",") + std::to_string(first);
    if (last > first) text += "-" + std::to_string(last);
  }
  return text;
}

}  // namespace trireme::doctor
