# A driver for machines without one.
add_library(trireme_fake_nvml SHARED monitor/fake_nvml.cpp)
target_link_libraries(trireme_fake_nvml PRIVATE trireme_options)

add_executable(monitor_tests
  monitor/alerts_test.cpp
  monitor/gpu_sampler_test.cpp
  monitor/metrics_file_test.cpp
  monitor/node_reader_test.cpp
  monitor/nvml_test.cpp
  monitor/pipeline_report_test.cpp
  monitor/progress_test.cpp
  monitor/watchdog_test.cpp)
target_link_libraries(monitor_tests PRIVATE trireme_worker_core GTest::gtest_main GTest::gmock)
target_compile_definitions(monitor_tests PRIVATE TRIREME_FAKE_NVML="$<TARGET_FILE:trireme_fake_nvml>")
add_dependencies(monitor_tests trireme_fake_nvml)
add_test(NAME monitor_tests COMMAND monitor_tests)
set_tests_properties(monitor_tests PROPERTIES TIMEOUT 60)
