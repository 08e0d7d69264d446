target_sources(trireme_worker_core PRIVATE
  monitor/monitor.cpp
  monitor/pipeline_report.cpp
  monitor/progress.cpp
  monitor/rank_report.cpp
  monitor/trace.cpp
  monitor/watchdog.cpp)
