add_executable(weights_tests
  weights/checkpoint_writer.cpp
  weights/dummy_test.cpp
  weights/loader_test.cpp
  weights/model_files_test.cpp
  weights/pairs_test.cpp
  weights/part_config_test.cpp
  weights/read_ahead_test.cpp
  weights/split_wants.cpp
  weights/split_wants_test.cpp
  weights/weight_stream_test.cpp)
target_link_libraries(weights_tests PRIVATE trireme_strict GTest::gtest_main)
target_precompile_headers(weights_tests PRIVATE <ATen/ATen.h> <gtest/gtest.h>)
add_test(NAME weights_tests COMMAND weights_tests)
set_tests_properties(weights_tests PROPERTIES TIMEOUT 120)

add_executable(loader_ranks_test
  weights/checkpoint_writer.cpp
  weights/loader_ranks_test.cpp
  weights/split_wants.cpp)
target_link_libraries(loader_ranks_test PRIVATE trireme_ranks_main)
foreach(ranks 1 2 3 4)
  add_mpi_test(NAME loader_mpi_${ranks} RANKS ${ranks} COMMAND loader_ranks_test mpi)
  add_mpi_test(NAME loader_nccl_${ranks} RANKS ${ranks} COMMAND loader_ranks_test nccl)
endforeach()
