target_sources(trireme_worker_core PRIVATE
  weights/accounting.cpp
  weights/arrange.cpp
  weights/chunks.cpp
  weights/convolutions.cpp
  weights/dummy.cpp
  weights/fp8.cpp
  weights/loader.cpp
  weights/model_files.cpp
  weights/node_cache.cpp
  weights/pairs.cpp
  weights/parameters.cpp
  weights/part_config.cpp
  weights/read_ahead.cpp
  weights/storage.cpp
  weights/weight_stream.cpp)
