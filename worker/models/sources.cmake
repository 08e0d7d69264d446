target_sources(trireme_worker_core PRIVATE
  models/model.cpp)
