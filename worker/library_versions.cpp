#include "worker/library_versions.h"

#include <ATen/Version.h>
#include <ATen/cuda/CUDAContext.h>
#include <dlfcn.h>
#include <jpeglib.h>
#include <png.h>
#include <torch/headeronly/version.h>
#include <zlib.h>

#include <CLI/Version.hpp>
#include <fstream>
#include <sstream>

#include "worker/kernels/gated_product.h"

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

/// A function of a library that LibTorch brings along, which we do not link; null where it brings none.
template <class Function>
Function* function_of_torch(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

LibraryVersion cublas_version() {
  auto* property = function_of_torch<decltype(cublasGetProperty)>("cublasGetProperty");
  if (property == nullptr) return {"cuBLAS", "", ""};
  int major = 0;
  int minor = 0;
  int patch = 0;
  property(MAJOR_VERSION, &major);
  property(MINOR_VERSION, &minor);
  property(PATCH_LEVEL, &patch);
  return {"cuBLAS", "", std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch)};
}

LibraryVersion cudnn_version() {
  auto* number = function_of_torch<std::size_t()>("cudnnGetVersion");
  if (number == nullptr) return {"cuDNN", "", ""};
  const std::size_t version = number();
  return {"cuDNN", "",
          std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
              std::to_string(version % 100)};
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
          cublas_version(),
          cudnn_version(),
          cuda_driver(),
          nccl_version(),
          mpi_version(),
          {"CUTLASS", kernels::cutlass_version_text(), ""},
          {"libpng", PNG_LIBPNG_VER_STRING, png_get_libpng_ver(nullptr)},
          {"zlib", ZLIB_VERSION, zlibVersion()},
          jpeg_version(),
          {"CLI11", CLI11_VERSION, ""}};
}

std::string version_text() {
  std::string text = std::string("trireme ") + TRIREME_VERSION + "\n";
  for (const LibraryVersion& version : library_versions()) text += to_text(version) + "\n";
  for (const LibraryVersion& version : common_library_versions()) text += to_text(version) + "\n";
  text.pop_back();
  return text;
}

}  // namespace trireme
