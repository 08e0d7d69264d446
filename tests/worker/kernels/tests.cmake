add_executable(kernels_tests
  kernels/compare.cpp
  kernels/decode_test.cpp
  kernels/fp8_test.cpp
  kernels/gate_test.cpp
  kernels/gated_product_test.cpp
  kernels/gated_tiles_test.cpp
  kernels/group_norm_test.cpp
  kernels/hopper_attention_test.cpp
  kernels/norm_test.cpp
  kernels/pixels_test.cpp
  kernels/product_test.cpp
  kernels/rope_test.cpp
  kernels/softmax_test.cpp
  kernels/tile_order_test.cpp)
target_link_libraries(kernels_tests PRIVATE trireme_worker_core GTest::gtest_main)
target_precompile_headers(kernels_tests PRIVATE <ATen/ATen.h> <gtest/gtest.h>)
add_test(NAME kernels_tests COMMAND kernels_tests)
set_tests_properties(kernels_tests PROPERTIES TIMEOUT 300)

# CUTLASS's headers outside of nvcc want libcu++ named.
find_path(TRIREME_LIBCUXX_INCLUDE cuda/std/utility HINTS "${TRIREME_CUDA_INCLUDE}" ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES} PATH_SUFFIXES cccl)
if(TARGET trireme_cutlass AND TRIREME_LIBCUXX_INCLUDE)
  add_executable(gate_staging_test kernels/gate_staging_test.cpp)
  target_link_libraries(gate_staging_test PRIVATE trireme_options trireme_cuda trireme_cutlass GTest::gtest_main)
  target_include_directories(gate_staging_test SYSTEM PRIVATE "${TRIREME_LIBCUXX_INCLUDE}")
  add_test(NAME gate_staging_test COMMAND gate_staging_test)
endif()
