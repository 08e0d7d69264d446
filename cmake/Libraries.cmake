# The libraries of docs/architecture.md, each as one target. Nothing is downloaded here: scripts/setup does that.
find_package(Threads REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PNG REQUIRED)
find_package(GTest REQUIRED)
if(NOT TARGET yaml-cpp::yaml-cpp)  # yaml-cpp before 0.8 has no namespace
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()

find_package(PkgConfig REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
find_path(UTF8PROC_INCLUDE utf8proc.h REQUIRED)
find_library(UTF8PROC_LIBRARY utf8proc REQUIRED)
add_library(trireme_utf8proc INTERFACE)
target_include_directories(trireme_utf8proc SYSTEM INTERFACE "${UTF8PROC_INCLUDE}")
target_link_libraries(trireme_utf8proc INTERFACE "${UTF8PROC_LIBRARY}")

if(TRIREME_COMMON_ONLY)
  return()
endif()

find_package(MPI REQUIRED COMPONENTS C)
include(Torch)
