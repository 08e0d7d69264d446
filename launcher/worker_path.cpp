#include "launcher/worker_path.h"

#include <filesystem>

#include "common/errors.h"

namespace trireme {

std::string worker_beside_us() {
  namespace fs = std::filesystem;
  const fs::path worker = fs::read_symlink("/proc/self/exe").parent_path() / "trireme-worker";
  if (!fs::exists(worker)) {
    throw Error(ExitCode::unavailable,
                "trireme-worker is not beside trireme (" + worker.string() + "); build it: scripts/setup");
  }
  return worker.string();
}

}  // namespace trireme
