add_executable(exchange_codec_test exchange/codec_test.cpp)
target_link_libraries(exchange_codec_test PRIVATE trireme_worker_core GTest::gtest_main)
add_test(NAME exchange_codec_test COMMAND exchange_codec_test)
set_tests_properties(exchange_codec_test PROPERTIES TIMEOUT 60)

add_executable(exchange_test exchange/exchange_test.cpp exchange/payload.cpp exchange/small_job.cpp)
target_link_libraries(exchange_test PRIVATE trireme_strict GTest::gtest_main)
add_test(NAME exchange_test COMMAND exchange_test)
set_tests_properties(exchange_test PROPERTIES TIMEOUT 120)

# The same jobs between processes.
add_executable(exchange_ranks exchange/exchange_ranks.cpp exchange/on_ranks.cpp exchange/payload.cpp exchange/small_job.cpp)
target_link_libraries(exchange_ranks PRIVATE trireme_worker_core CLI11::CLI11)
add_test(NAME exchange_self COMMAND exchange_ranks --transport self --refills 500)
set_tests_properties(exchange_self PROPERTIES TIMEOUT 60)
foreach(ranks 1 2 3 4)
  add_mpi_test(NAME exchange_mpi_${ranks} RANKS ${ranks}
    COMMAND exchange_ranks --transport mpi --jobs 30 --refills 300)
endforeach()
foreach(ranks 1 2 4)
  add_mpi_test(NAME exchange_nccl_${ranks} RANKS ${ranks} SECONDS 240
    COMMAND exchange_ranks --transport nccl --jobs 100 --refills 10000)
endforeach()
