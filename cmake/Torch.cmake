# LibTorch, the CUDA runtime and NCCL from the folder of an installed `torch` package, as targets of our own:
# torch's own CMake files probe for GPUs, which fails on a build machine without one.
#   trireme_torch  LibTorch with its CUDA half      trireme_cuda  cuda_runtime.h      trireme_nccl  nccl.h
#   trireme_cublas_lt  cublasLt.h
set(TRIREME_TORCH "" CACHE PATH "Folder of the torch package: python3 -c 'import torch; print(torch.__path__[0])'")
if(NOT EXISTS "${TRIREME_TORCH}/lib/libtorch.so")
  message(FATAL_ERROR "LibTorch not found: run scripts/setup, or give -DTRIREME_TORCH=<folder of the torch package>")
endif()
cmake_path(GET TRIREME_TORCH PARENT_PATH site_packages)

if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES "80-real;86-real;89-real;90")
endif()
enable_language(CUDA)
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_RUNTIME_LIBRARY None)  # kernels use the runtime that LibTorch loads, not a second one

find_path(TRIREME_CUDA_INCLUDE cuda_runtime.h
  HINTS ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES} "${site_packages}/nvidia/cu13/include" REQUIRED)
# A toolkit without cuBLAS, cuSPARSE and the like is enough: torch brings those headers.
find_path(TRIREME_CUBLAS_INCLUDE cublas_v2.h HINTS "${TRIREME_CUDA_INCLUDE}" "${site_packages}/nvidia/cu13/include" REQUIRED)
find_file(TRIREME_CUDA_LIBRARY NAMES libcudart.so.13 HINTS "${site_packages}/nvidia/cu13/lib"
  PATH_SUFFIXES lib lib64 PATHS /usr/local/cuda/lib64 REQUIRED)
find_file(TRIREME_CUBLASLT_LIBRARY NAMES libcublasLt.so.13 HINTS "${site_packages}/nvidia/cu13/lib"
  PATH_SUFFIXES lib lib64 PATHS /usr/local/cuda/lib64 REQUIRED)
find_path(TRIREME_NCCL_INCLUDE nccl.h HINTS "${site_packages}/nvidia/nccl/include" REQUIRED)
find_file(TRIREME_NCCL_LIBRARY NAMES libnccl.so.2 HINTS "${site_packages}/nvidia/nccl/lib"
  PATHS /usr/lib/x86_64-linux-gnu /usr/local/lib REQUIRED)

add_library(trireme_cuda INTERFACE)
target_include_directories(trireme_cuda SYSTEM INTERFACE "${TRIREME_CUDA_INCLUDE}" "${TRIREME_CUBLAS_INCLUDE}")
target_link_libraries(trireme_cuda INTERFACE "${TRIREME_CUDA_LIBRARY}")
add_library(trireme_cublas_lt INTERFACE)
target_link_libraries(trireme_cublas_lt INTERFACE "${TRIREME_CUBLASLT_LIBRARY}" trireme_cuda)

add_library(trireme_nccl INTERFACE)
target_include_directories(trireme_nccl SYSTEM INTERFACE "${TRIREME_NCCL_INCLUDE}")
target_link_libraries(trireme_nccl INTERFACE "${TRIREME_NCCL_LIBRARY}" trireme_cuda)

add_library(trireme_torch INTERFACE)
target_include_directories(trireme_torch SYSTEM INTERFACE
  "${TRIREME_TORCH}/include" "${TRIREME_TORCH}/include/torch/csrc/api/include")
# libtorch exports an older std::filesystem of its own, in which remove_all crashes: the system's has to be found first.
# torch_cuda registers its operators when loaded, and nothing refers to it by name.
target_link_libraries(trireme_torch INTERFACE
  -Wl,--no-as-needed stdc++ "${TRIREME_TORCH}/lib/libtorch.so" "${TRIREME_TORCH}/lib/libtorch_cpu.so"
  "${TRIREME_TORCH}/lib/libtorch_cuda.so" "${TRIREME_TORCH}/lib/libc10_cuda.so" "${TRIREME_TORCH}/lib/libc10.so"
  -Wl,--as-needed trireme_cuda)

# Programs find these without environment variables.
set(CMAKE_BUILD_RPATH "${TRIREME_TORCH}/lib")
foreach(library "${TRIREME_CUDA_LIBRARY}" "${TRIREME_CUBLASLT_LIBRARY}" "${TRIREME_NCCL_LIBRARY}")
  cmake_path(GET library PARENT_PATH folder)
  list(APPEND CMAKE_BUILD_RPATH "${folder}")
endforeach()
