target_sources(trireme_worker_core PRIVATE
  models/fake/fake_model.cpp
  models/list.cpp
  models/load.cpp
  models/qwen2_5_vl/answer.cpp
  models/qwen2_5_vl/config.cpp
  models/qwen2_5_vl/picture_encoder.cpp
  models/qwen2_5_vl/prompt.cpp
  models/qwen2_5_vl/qwen2_5_vl.cpp
  models/qwen2_5_vl/session.cpp
  models/qwen2_5_vl/vision_layout.cpp
  models/qwen2_5_vl/vision_tower.cpp
  models/z_image/block.cpp
  models/z_image/caption_encoder.cpp
  models/z_image/config.cpp
  models/z_image/transformer.cpp
  models/z_image/z_image.cpp)
