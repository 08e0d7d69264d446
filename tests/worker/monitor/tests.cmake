add_executable(monitor_tests monitor/pipeline_report_test.cpp monitor/progress_test.cpp monitor/watchdog_test.cpp)
target_link_libraries(monitor_tests PRIVATE trireme_worker_core GTest::gtest_main)
add_test(NAME monitor_tests COMMAND monitor_tests)
set_tests_properties(monitor_tests PROPERTIES TIMEOUT 60)
