add_executable(z_image_tests models/run_model.cpp models/z_image_pipeline_test.cpp models/z_image_transformer_test.cpp)
target_link_libraries(z_image_tests PRIVATE trireme_worker_golden)
add_test(NAME z_image_tests COMMAND z_image_tests)
set_tests_properties(z_image_tests PROPERTIES TIMEOUT 300)

add_executable(qwen2_5_vl_tests
  models/qwen2_5_vl_golden.cpp
  models/qwen2_5_vl_parts_test.cpp
  models/qwen2_5_vl_test.cpp
  models/qwen2_5_vl_warm_up_test.cpp)
target_link_libraries(qwen2_5_vl_tests PRIVATE trireme_worker_golden)
add_test(NAME qwen2_5_vl_tests COMMAND qwen2_5_vl_tests)
set_tests_properties(qwen2_5_vl_tests PROPERTIES TIMEOUT 300)

add_executable(newbie_image_tests models/newbie_image_pipeline_test.cpp models/newbie_image_transformer_test.cpp
                                  models/run_model.cpp)
target_link_libraries(newbie_image_tests PRIVATE trireme_worker_golden)
add_test(NAME newbie_image_tests COMMAND newbie_image_tests)
set_tests_properties(newbie_image_tests PROPERTIES TIMEOUT 300)

add_executable(offload_tests models/offload_test.cpp models/qwen2_5_vl_golden.cpp models/run_model.cpp)
target_link_libraries(offload_tests PRIVATE trireme_worker_golden)
add_test(NAME offload_tests COMMAND offload_tests)
set_tests_properties(offload_tests PROPERTIES TIMEOUT 300)
