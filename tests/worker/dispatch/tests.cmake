add_executable(dispatch_tests dispatch/coordinator_test.cpp)
target_link_libraries(dispatch_tests PRIVATE trireme_strict GTest::gtest_main)
add_test(NAME dispatch_tests COMMAND dispatch_tests)
set_tests_properties(dispatch_tests PROPERTIES TIMEOUT 60)

# The dispatcher and the policies on a virtual clock: neither LibTorch nor MPI.
add_library(trireme_virtual_cluster STATIC
  dispatch/virtual_cluster.cpp
  "${CMAKE_SOURCE_DIR}/worker/dispatch/dispatcher.cpp"
  "${CMAKE_SOURCE_DIR}/worker/dispatch/policy.cpp"
  "${CMAKE_SOURCE_DIR}/worker/dispatch/predictive.cpp"
  "${CMAKE_SOURCE_DIR}/worker/dispatch/predictor.cpp"
  "${CMAKE_SOURCE_DIR}/worker/dispatch/work_estimate.cpp")
target_link_libraries(trireme_virtual_cluster PUBLIC trireme_options trireme_common)
add_executable(policy_tests
  dispatch/dispatcher_test.cpp
  dispatch/policy_test.cpp
  dispatch/predictor_test.cpp
  dispatch/work_estimate_test.cpp)
target_link_libraries(policy_tests PRIVATE trireme_virtual_cluster GTest::gtest_main)
add_test(NAME policy_tests COMMAND policy_tests)
set_tests_properties(policy_tests PROPERTIES TIMEOUT 60)
