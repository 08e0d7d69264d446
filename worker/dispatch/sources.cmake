target_sources(trireme_worker_core PRIVATE
  dispatch/coordinator.cpp
  dispatch/dispatcher.cpp
  dispatch/policy.cpp
  dispatch/predictive.cpp
  dispatch/predictor.cpp
  dispatch/work_estimate.cpp)
