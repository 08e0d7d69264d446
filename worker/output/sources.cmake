target_sources(trireme_worker_core PRIVATE
  output/generation_text.cpp
  output/local_output.cpp
  output/png.cpp
  output/png_sink.cpp
  output/sink.cpp
  output/tensors_file.cpp
  output/writers.cpp)
