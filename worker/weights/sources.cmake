target_sources(trireme_worker_core PRIVATE
  weights/parameters.cpp)
