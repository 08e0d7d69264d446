target_sources(trireme_worker_core PRIVATE
  engine/guidance_pair.cpp
  engine/overlapped.cpp
  engine/pipeline.cpp
  engine/ring_entry.cpp
  engine/ring_messages.cpp
  engine/ring_results.cpp
  engine/second_try.cpp
  engine/side_work.cpp
  engine/slot_times.cpp
  engine/span_log.cpp
  engine/transfer_places.cpp
  engine/unit_in_hand.cpp
  engine/unit_items.cpp
  engine/unit_work.cpp
  engine/warm_up.cpp
  engine/whole_model.cpp)
