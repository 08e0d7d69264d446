target_sources(trireme_worker_core PRIVATE
  kernels/gate.cpp
  kernels/group_norm.cpp
  kernels/norm.cpp
  kernels/rope.cpp)
