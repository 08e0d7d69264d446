target_sources(trireme_worker_core PRIVATE
  exchange/codec.cpp
  exchange/messages.cpp)
