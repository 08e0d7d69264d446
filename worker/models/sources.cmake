target_sources(trireme_worker_core PRIVATE
  models/fake/fake_model.cpp
  models/list.cpp
  models/load.cpp
  models/model.cpp)
