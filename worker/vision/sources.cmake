target_sources(trireme_worker_core PRIVATE
  vision/autoencoder_blocks.cpp
  vision/autoencoder_kl.cpp
  vision/jpeg_picture.cpp
  vision/latents_decoder.cpp
  vision/orientation.cpp
  vision/patches.cpp
  vision/picture.cpp
  vision/png_picture.cpp
  vision/tiling.cpp)
