target_sources(trireme_worker_core PRIVATE
  nn/attention.cpp
  nn/decoder.cpp
  nn/decoder_config.cpp
  nn/linear.cpp
  nn/rope.cpp
  nn/sampling.cpp
  nn/upload.cpp)
