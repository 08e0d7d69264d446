# CUTLASS: its headers alone, for kernels/gated_product.cu and kernels/hopper_attention.cu, which only GPUs of
# capability 9.0 run. Without them, or without that architecture, the build leaves these out, and the program does the
# same work by other kernels.
option(TRIREME_CUTLASS "Kernels for Hopper GPUs: a feed-forward's gate in its product, attention of heads of 96" ON)
if(NOT TRIREME_CUTLASS OR NOT CMAKE_CUDA_ARCHITECTURES MATCHES "(^|;)90a?(-real)?(;|$)")
  return()
endif()

find_path(TRIREME_CUTLASS_INCLUDE cutlass/version.h)
set(version "none")
if(TRIREME_CUTLASS_INCLUDE)
  file(READ "${TRIREME_CUTLASS_INCLUDE}/cutlass/version.h" text)
  string(REGEX REPLACE ".*CUTLASS_MAJOR ([0-9]+).*CUTLASS_MINOR ([0-9]+).*" "\\1.\\2" version "${text}")
endif()
if(NOT version VERSION_GREATER_EQUAL 4.2)
  message(WARNING "CUTLASS 4.2 or newer is wanted and ${version} found: built without its kernels for Hopper GPUs. "
    "scripts/setup fetches its headers; a folder in CMAKE_PREFIX_PATH comes first")
  return()
endif()
add_library(trireme_cutlass INTERFACE)
target_include_directories(trireme_cutlass SYSTEM INTERFACE "${TRIREME_CUTLASS_INCLUDE}")
target_compile_definitions(trireme_cutlass INTERFACE CUTE_SM90_EXTENDED_MMA_SHAPES_ENABLED)  # every width of wgmma
