target_sources(trireme_worker_core PRIVATE
  weights/model_files.cpp
  weights/parameters.cpp
  weights/part_config.cpp)
