target_sources(trireme_worker_core PRIVATE
  engine/guidance_pair.cpp
  engine/unit_work.cpp
  engine/whole_model.cpp)
