target_sources(trireme_worker_core PRIVATE
  diffusion/flow_match.cpp
  diffusion/guidance.cpp
  diffusion/noise.cpp
  diffusion/sampler.cpp)
