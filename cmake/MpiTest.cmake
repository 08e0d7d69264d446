# add_mpi_test(NAME name RANKS n [SECONDS s] COMMAND program argument…): the program on n ranks, which may be more than the
# machine has cores. It is killed after s seconds (60); exit code 77 means skipped.
function(add_mpi_test)
  cmake_parse_arguments(TEST "" "NAME;RANKS;SECONDS" "COMMAND" ${ARGN})
  if(NOT TEST_SECONDS)
    set(TEST_SECONDS 60)
  endif()
  list(POP_FRONT TEST_COMMAND program)
  add_test(NAME ${TEST_NAME} COMMAND timeout -k 10 ${TEST_SECONDS}
    "${MPIEXEC_EXECUTABLE}" --oversubscribe --bind-to none -n ${TEST_RANKS} $<TARGET_FILE:${program}> ${TEST_COMMAND})
  math(EXPR limit "${TEST_SECONDS} + 20")
  set_tests_properties(${TEST_NAME} PROPERTIES TIMEOUT ${limit} PROCESSORS ${TEST_RANKS} SKIP_RETURN_CODE 77
    ENVIRONMENT "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1;OMPI_MCA_mpi_yield_when_idle=1;OMP_NUM_THREADS=1")
endfunction()
