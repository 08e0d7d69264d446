# cmake --install build/release --prefix DIR: programs, job files, small models, job scripts, documents, a modulefile.
# Nothing in there names DIR, so it may be moved; LibTorch, MPI and NCCL stay where they are, unless lib/ has them.
include(GNUInstallDirs)

set_target_properties(trireme trireme-worker PROPERTIES
  INSTALL_RPATH "$ORIGIN/../lib;${CMAKE_BUILD_RPATH}"
  INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS trireme trireme-worker RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY configs models DESTINATION ${CMAKE_INSTALL_DATADIR}/trireme)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md")
install(FILES LICENSE NOTICE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY packaging/licenses DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES packaging/modulefile DESTINATION ${CMAKE_INSTALL_DATADIR}/modulefiles/trireme RENAME ${PROJECT_VERSION})

# The job scripts that ship look for the program in the build; installed ones find it on the PATH.
file(GLOB job_scripts CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/scripts/slurm/*.sbatch")
foreach(script IN LISTS job_scripts)
  cmake_path(GET script FILENAME name)
  file(READ "${script}" text)
  string(REPLACE "build/release/trireme-worker" "trireme-worker" text "${text}")
  file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/slurm/${name}" CONTENT "${text}" @ONLY)
  install(PROGRAMS "${CMAKE_BINARY_DIR}/slurm/${name}" DESTINATION ${CMAKE_INSTALL_DATADIR}/trireme/slurm)
endforeach()
