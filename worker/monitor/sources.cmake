target_sources(trireme_worker_core PRIVATE
  monitor/monitor.cpp
  monitor/progress.cpp
  monitor/rank_report.cpp
  monitor/watchdog.cpp)
