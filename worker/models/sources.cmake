target_sources(trireme_worker_core PRIVATE
  models/fake/fake_model.cpp
  models/list.cpp
  models/load.cpp
  models/z_image/block.cpp
  models/z_image/caption_encoder.cpp
  models/z_image/config.cpp
  models/z_image/transformer.cpp
  models/z_image/z_image.cpp)
