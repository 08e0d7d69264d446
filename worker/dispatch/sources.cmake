target_sources(trireme_worker_core PRIVATE
  dispatch/coordinator.cpp
  dispatch/policy.cpp)
