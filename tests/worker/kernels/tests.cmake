add_executable(kernels_tests
  kernels/compare.cpp
  kernels/decode_test.cpp
  kernels/fp8_test.cpp
  kernels/gate_test.cpp
  kernels/group_norm_test.cpp
  kernels/norm_test.cpp
  kernels/pixels_test.cpp
  kernels/rope_test.cpp
  kernels/softmax_test.cpp)
target_link_libraries(kernels_tests PRIVATE trireme_worker_core GTest::gtest_main)
target_precompile_headers(kernels_tests PRIVATE <ATen/ATen.h> <gtest/gtest.h>)
add_test(NAME kernels_tests COMMAND kernels_tests)
set_tests_properties(kernels_tests PROPERTIES TIMEOUT 300)
