add_executable(nn_tests
  nn/attention_test.cpp
  nn/decoder_test.cpp
  nn/dit_block_test.cpp
  nn/dit_run_test.cpp
  nn/rope_test.cpp
  nn/sampling_test.cpp)
target_link_libraries(nn_tests PRIVATE trireme_worker_golden)
add_test(NAME nn_tests COMMAND nn_tests)
set_tests_properties(nn_tests PROPERTIES TIMEOUT 120)
