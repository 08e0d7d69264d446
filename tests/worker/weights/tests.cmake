add_executable(weights_tests
  weights/checkpoint_writer.cpp
  weights/dummy_test.cpp
  weights/loader_test.cpp
  weights/model_files_test.cpp
  weights/split_wants.cpp
  weights/split_wants_test.cpp)
target_link_libraries(weights_tests PRIVATE trireme_strict GTest::gtest_main)
target_precompile_headers(weights_tests PRIVATE <ATen/ATen.h> <gtest/gtest.h>)
add_test(NAME weights_tests COMMAND weights_tests)
set_tests_properties(weights_tests PROPERTIES TIMEOUT 120)
