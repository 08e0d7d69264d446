target_sources(trireme_worker_core PRIVATE
  kernels/capability.cpp
  kernels/decode.cpp
  kernels/decode.cu
  kernels/fp8.cpp
  kernels/fp8.cu
  kernels/gate.cpp
  kernels/gate.cu
  kernels/group_norm.cpp
  kernels/group_norm.cu
  kernels/norm.cpp
  kernels/norm.cu
  kernels/pixels.cpp
  kernels/pixels.cu
  kernels/rope.cpp
  kernels/rope.cu
  kernels/softmax.cpp
  kernels/softmax.cu)
