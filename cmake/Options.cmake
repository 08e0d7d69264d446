# Flags every target of the project is built with: target_link_libraries(x PRIVATE trireme_options).
option(TRIREME_SANITIZE "AddressSanitizer and UndefinedBehaviorSanitizer" OFF)

add_library(trireme_options INTERFACE)
target_include_directories(trireme_options INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_definitions(trireme_options INTERFACE TRIREME_VERSION="${PROJECT_VERSION}")
target_compile_options(trireme_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers>)
if(TRIREME_SANITIZE)
  target_compile_options(trireme_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(trireme_options INTERFACE -fsanitize=address,undefined)
endif()
# Debug symbols of LibTorch code are large: line tables are enough for a stack trace.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")

find_program(TRIREME_CCACHE ccache)
if(TRIREME_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime;${TRIREME_CCACHE}")
endif()
