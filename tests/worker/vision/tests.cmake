add_executable(vision_tests
  vision/autoencoder_kl_test.cpp
  vision/patches_test.cpp
  vision/picture_test.cpp
  vision/tiling_test.cpp)
target_link_libraries(vision_tests PRIVATE trireme_worker_golden GTest::gmock)
add_test(NAME vision_tests COMMAND vision_tests)
set_tests_properties(vision_tests PROPERTIES TIMEOUT 120)
