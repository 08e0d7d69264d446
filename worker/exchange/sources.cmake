target_sources(trireme_worker_core PRIVATE
  exchange/buffer_pool.cpp
  exchange/codec.cpp
  exchange/exchange.cpp
  exchange/messages.cpp
  exchange/rank_zero_side.cpp
  exchange/worker_side.cpp)
