add_executable(output_tests output/local_output_test.cpp output/png_test.cpp output/tensors_file_test.cpp output/writers_test.cpp)
target_link_libraries(output_tests PRIVATE trireme_worker_core GTest::gtest_main PNG::PNG)
add_test(NAME output_tests COMMAND output_tests)
set_tests_properties(output_tests PROPERTIES TIMEOUT 60)
