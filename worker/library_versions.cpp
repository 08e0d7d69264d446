#include "worker/library_versions.h"

#include <ATen/Version.h>
#include <ATen/cuda/CUDAContext.h>
#include <jpeglib.h>
#include <png.h>
#include <torch/headeronly/version.h>

#include <fstream>
#include <sstream>

namespace trireme {
namespace {

std::string cuda_text(int version) {
  if (version == 0) return "";
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// From "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.82.07  …".
std::string driver_version() {
  std::ifstream file("/proc/driver/nvidia/version");
  std::string line;
  std::getline(file, line);
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    if (word.find('.') != std::string::npos && word.find_first_not_of("0123456789.") == std::string::npos) return word;
  }
  return "";
}

LibraryVersion cuda_version() {
  int running = 0;
  cudaRuntimeGetVersion(&running);
  return {"CUDA", cuda_text(CUDART_VERSION), cuda_text(running)};
}

LibraryVersion cuda_driver() {
  int newest = 0;
  cudaDriverGetVersion(&newest);
  cudaGetLastError();
  const std::string driver = driver_version();
  if (newest == 0 && driver.empty()) return {"GPU driver", "", ""};
  return {"GPU driver", "", driver + (newest == 0 ? "" : " (CUDA " + cuda_text(newest) + ")")};
}

LibraryVersion jpeg_version() {
#ifdef LIBJPEG_TURBO_VERSION
#define TRIREME_TEXT_(x) #x
#define TRIREME_TEXT(x) TRIREME_TEXT_(x)
  return {"libjpeg-turbo", TRIREME_TEXT(LIBJPEG_TURBO_VERSION), ""};
#else
  return {"libjpeg", std::to_string(JPEG_LIB_VERSION), ""};
#endif
}

}  // namespace

std::vector<LibraryVersion> library_versions() {
  return {{"torch", TORCH_VERSION, ""},
          cuda_version(),
          cuda_driver(),
          nccl_version(),
          mpi_version(),
          {"libpng", PNG_LIBPNG_VER_STRING, png_get_libpng_ver(nullptr)},
          jpeg_version()};
}

std::string version_text() {
  std::string text = std::string("trireme ") + TRIREME_VERSION + "\n";
  for (const LibraryVersion& version : library_versions()) text += to_text(version) + "\n";
  for (const LibraryVersion& version : common_library_versions()) text += to_text(version) + "\n";
  text.pop_back();
  return text;
}

}  // namespace trireme
