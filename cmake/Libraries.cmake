# The libraries of docs/architecture.md, each as one target. Nothing is downloaded here: scripts/setup does that.

# A library that is a header and at most one file, wherever CMAKE_PREFIX_PATH or the system has it; distributions
# disagree about the CMake and pkg-config files of these.
function(trireme_library target header)
  string(MAKE_C_IDENTIFIER "TRIREME_${target}" name)
  find_path(${name}_INCLUDE ${header} REQUIRED)
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${target} SYSTEM INTERFACE "${${name}_INCLUDE}")
  if(ARGN)
    find_library(${name}_LIBRARY ${ARGN} REQUIRED)
    target_link_libraries(${target} INTERFACE "${${name}_LIBRARY}")
  endif()
endfunction()

trireme_library(nlohmann_json::nlohmann_json nlohmann/json.hpp)
trireme_library(CLI11::CLI11 CLI/CLI.hpp)
trireme_library(PCRE2::PCRE2 pcre2.h pcre2-8)
trireme_library(utf8proc::utf8proc utf8proc.h utf8proc)

find_package(Threads REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(PNG REQUIRED)
find_package(ZLIB REQUIRED)
find_package(JPEG REQUIRED)
if(BUILD_TESTING)
  find_package(GTest REQUIRED)
endif()
if(NOT TARGET yaml-cpp::yaml-cpp)  # yaml-cpp before 0.8 has no namespace
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()

if(TRIREME_COMMON_ONLY)
  return()
endif()

find_package(MPI REQUIRED COMPONENTS C)
include(Torch)
include(Cutlass)
