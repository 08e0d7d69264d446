#include "common/host.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>

extern char** environ;

namespace trireme {

Environment environment() {
  Environment all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const char* equals = std::strchr(*entry, '=');
    if (equals != nullptr) all.emplace(std::string_view(*entry, equals - *entry), equals + 1);
  }
  return all;
}

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> text{};
  ::gethostname(text.data(), text.size() - 1);
  return text.data();
}

int usable_cpus() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  return ::sched_getaffinity(0, sizeof mask, &mask) == 0 ? std::max(1, CPU_COUNT(&mask)) : 1;
}

}  // namespace trireme
