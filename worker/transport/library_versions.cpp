#include "worker/library_versions.h"

#include <nccl.h>

#include <array>
#include <cstring>
#include <sstream>

#include "worker/transport/mpi_handles.h"

namespace trireme {
namespace {

std::string nccl_text(int version) {
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

/// The number in "Open MPI v4.1.4, package: …".
std::string number_in(const std::string& text) {
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const std::size_t start = word.find_first_of("0123456789");
    const std::size_t end = word.find_first_not_of("0123456789.", start);
    if (start <= 1 && word.find('.', start) < end) return word.substr(start, end - start);
  }
  return text;
}

}  // namespace

LibraryVersion nccl_version() {
  int running = 0;
  ncclGetVersion(&running);
  return {"NCCL", nccl_text(NCCL_VERSION_CODE), nccl_text(running)};
}

LibraryVersion mpi_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  const std::string running(text.data(), length);
#ifdef OMPI_MAJOR_VERSION
  const std::string compiled = std::to_string(OMPI_MAJOR_VERSION) + "." + std::to_string(OMPI_MINOR_VERSION) + "." +
                               std::to_string(OMPI_RELEASE_VERSION);
#else
  const std::string compiled;
#endif
  const bool open_mpi = running.starts_with("Open MPI");
  return {open_mpi ? "Open MPI" : "MPI", compiled, number_in(running)};
}

}  // namespace trireme
