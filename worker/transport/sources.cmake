target_sources(trireme_worker_core PRIVATE
  transport/launch.cpp
  transport/library_versions.cpp
  transport/list.cpp
  transport/local_copies.cpp
  transport/mpi_handles.cpp
  transport/mpi_transport.cpp
  transport/nccl_communicator.cpp
  transport/nccl_transport.cpp
  transport/over_mpi.cpp
  transport/self_transport.cpp
  transport/staged_transport.cpp
  transport/transport.cpp)

# Tests only: ranks of one process that forgive nothing.
add_library(trireme_strict STATIC EXCLUDE_FROM_ALL
  transport/strict_fibers.cpp
  transport/strict_queues.cpp
  transport/strict_transport.cpp)
target_precompile_headers(trireme_strict REUSE_FROM trireme_worker_core)
target_link_libraries(trireme_strict PUBLIC trireme_worker_core)
