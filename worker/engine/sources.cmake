target_sources(trireme_worker_core PRIVATE
  engine/whole_model.cpp)
