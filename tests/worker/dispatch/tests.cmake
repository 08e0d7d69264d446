add_executable(dispatch_tests dispatch/coordinator_test.cpp dispatch/policy_test.cpp)
target_link_libraries(dispatch_tests PRIVATE trireme_strict GTest::gtest_main)
add_test(NAME dispatch_tests COMMAND dispatch_tests)
set_tests_properties(dispatch_tests PROPERTIES TIMEOUT 60)
