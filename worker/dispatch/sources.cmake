target_sources(trireme_worker_core PRIVATE
  dispatch/batches.cpp
  dispatch/coordinator.cpp
  dispatch/policy.cpp)
