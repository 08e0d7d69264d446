target_sources(trireme_worker_core PRIVATE
  kernels/capability.cpp
  kernels/decode.cpp
  kernels/decode.cu
  kernels/fp8.cpp
  kernels/fp8.cu
  kernels/gate.cpp
  kernels/gate.cu
  kernels/gated_product.cpp
  kernels/gated_tiles.cpp
  kernels/group_norm.cpp
  kernels/group_norm.cu
  kernels/hopper_attention.cpp
  kernels/norm.cpp
  kernels/norm.cu
  kernels/pixels.cpp
  kernels/pixels.cu
  kernels/product.cpp
  kernels/product_choice.cpp
  kernels/rope.cpp
  kernels/rope.cu
  kernels/softmax.cpp
  kernels/softmax.cu)

# For one architecture and with headers of its own.
if(TARGET trireme_cutlass)
  add_library(trireme_cutlass_kernels OBJECT kernels/gated_product.cu kernels/hopper_attention.cu)
  set_target_properties(trireme_cutlass_kernels PROPERTIES CUDA_ARCHITECTURES 90a-real)
  target_compile_options(trireme_cutlass_kernels PRIVATE --expt-relaxed-constexpr)
  target_link_libraries(trireme_cutlass_kernels PRIVATE trireme_options trireme_cuda trireme_cutlass)
  target_sources(trireme_worker_core PRIVATE $<TARGET_OBJECTS:trireme_cutlass_kernels>)
else()
  target_sources(trireme_worker_core PRIVATE kernels/no_cutlass.cpp)
endif()
