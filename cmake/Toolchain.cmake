# Compiler cache, linker and warnings, for the project's own targets only.
find_program(SEEDCORE_CCACHE ccache)
if(SEEDCORE_CCACHE)
  # Precompiled headers carry time stamps and macros that ccache has to be told to look past; base_dir lets checkouts in
  # different folders share one cache. A precompiled header has 100 MB: its hash is kept by inode, else every call makes it anew.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 CCACHE_INODECACHE=true ${SEEDCORE_CCACHE})
endif()

find_program(SEEDCORE_MOLD mold)
if(SEEDCORE_MOLD)
  # g++ 12 finds mold by name.
  add_link_options(-fuse-ld=mold)
endif()

add_library(seedcore_options INTERFACE)
target_include_directories(seedcore_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(seedcore_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wold-style-cast -Wnull-dereference -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports these from inside inlined libstdc++ code; clang, which also builds everything, does not.
  target_compile_options(seedcore_options INTERFACE
    -Wno-null-dereference -Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread
    -Wno-array-bounds
    -fpch-preprocess)
endif()
if(SEEDCORE_WERROR)
  target_compile_options(seedcore_options INTERFACE -Werror)
endif()
