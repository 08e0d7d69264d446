target_sources(trireme_worker_core PRIVATE
  nn/attention.cpp
  nn/caption_encoder.cpp
  nn/decoder.cpp
  nn/decoder_config.cpp
  nn/dit_block.cpp
  nn/dit_run.cpp
  nn/linear.cpp
  nn/patches.cpp
  nn/rope.cpp
  nn/sampling.cpp
  nn/upload.cpp)
