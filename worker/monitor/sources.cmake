target_sources(trireme_worker_core PRIVATE
  monitor/alerts.cpp
  monitor/gpu_sampler.cpp
  monitor/metrics_file.cpp
  monitor/monitor.cpp
  monitor/node_reader.cpp
  monitor/node_sampler.cpp
  monitor/nvml.cpp
  monitor/nvml_library.cpp
  monitor/pipeline_report.cpp
  monitor/progress.cpp
  monitor/rank_report.cpp
  monitor/trace.cpp
  monitor/watchdog.cpp)
target_link_libraries(trireme_worker_core PRIVATE ${CMAKE_DL_LIBS})
