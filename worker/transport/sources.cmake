target_sources(trireme_worker_core PRIVATE
  transport/local_copies.cpp
  transport/self_transport.cpp
  transport/transport.cpp)
