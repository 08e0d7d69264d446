target_sources(trireme_worker_core PRIVATE
  vision/autoencoder_blocks.cpp
  vision/autoencoder_kl.cpp
  vision/tiling.cpp)
