target_sources(trireme_worker_core PRIVATE
  dispatch/policy.cpp)
