#include "common/host.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>

namespace trireme {

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
