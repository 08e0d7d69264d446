target_sources(trireme_worker_core PRIVATE
  monitor/progress.cpp
  monitor/watchdog.cpp)
