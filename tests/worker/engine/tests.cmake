add_executable(engine_tests
  engine/exchange_script.cpp
  engine/fake_work.cpp
  engine/guidance_pair_test.cpp
  engine/overlapped_test.cpp
  engine/second_try_test.cpp
  engine/shared_visits_test.cpp
  engine/whole_model_test.cpp)
target_precompile_headers(engine_tests REUSE_FROM trireme_worker_core)
target_link_libraries(engine_tests PRIVATE trireme_strict GTest::gmock GTest::gtest_main)
add_test(NAME engine_tests COMMAND engine_tests)
set_tests_properties(engine_tests PROPERTIES TIMEOUT 60)

# Between processes, with tiny models.
add_executable(guidance_ranks engine/guidance_ranks.cpp)
target_precompile_headers(guidance_ranks REUSE_FROM trireme_worker_core)
target_compile_definitions(guidance_ranks PRIVATE TRIREME_SOURCE_FOLDER="${CMAKE_SOURCE_DIR}")
target_link_libraries(guidance_ranks PRIVATE trireme_ranks_main)
foreach(ranks 2 4)
  add_mpi_test(NAME guidance_mpi_${ranks} RANKS ${ranks} COMMAND guidance_ranks mpi)
  add_mpi_test(NAME guidance_nccl_${ranks} RANKS ${ranks} COMMAND guidance_ranks nccl)
endforeach()

add_executable(ring_test engine/exchange_script.cpp engine/ring_messages_test.cpp engine/ring_test.cpp engine/warm_up_test.cpp)
target_precompile_headers(ring_test REUSE_FROM trireme_worker_core)
target_link_libraries(ring_test PRIVATE trireme_strict GTest::gtest_main)
add_test(NAME ring_test COMMAND ring_test)
set_tests_properties(ring_test PROPERTIES TIMEOUT 300)
