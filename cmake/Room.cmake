# seedcore_room(NAME [DEPENDS room...] [LIBRARIES target...] [TOGETHER filter])
#
# One folder, one static library `seedcore_NAME`, one test program `NAME_test` out of the folder's *_test.cc files.
# With SEEDCORE_FUZZERS each NAME_fuzz.cc becomes a libFuzzer program, built by the target `fuzzers`.
# A main.cc belongs to a program that the room's CMakeLists.txt declares itself, and a subfolder with a CMakeLists.txt of its
# own is a library of its own.
# testing.cc holds what tests of several rooms share, in a library that the room's CMakeLists.txt declares itself.
# TOGETHER: a GoogleTest filter; the tests it matches share something dear, such as a server, and run as one ctest test.
# DEPENDS lists rooms further down; tests/architecture checks the includes against the same order.
function(seedcore_room name)
  cmake_parse_arguments(ARG "" "TOGETHER" "DEPENDS;LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cc)
  file(GLOB separate CONFIGURE_DEPENDS */CMakeLists.txt)
  foreach(listfile IN LISTS separate)
    cmake_path(GET listfile PARENT_PATH folder)
    list(FILTER sources EXCLUDE REGEX "^${folder}/")
  endforeach()
  set(tests ${sources})
  set(fuzzers ${sources})
  list(FILTER sources EXCLUDE REGEX "(_(test|fuzz)|/(main|testing))\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")

  set(target seedcore_${name})
  add_library(${target} STATIC ${sources})
  target_link_libraries(${target} PUBLIC seedcore_options ${ARG_LIBRARIES})
  foreach(room IN LISTS ARG_DEPENDS)
    target_link_libraries(${target} PUBLIC seedcore_${room})
  endforeach()
  seedcore_precompile(${target})

  if(tests AND NOT SEEDCORE_PYTHON)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${target} GTest::gmock GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE SEEDCORE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    seedcore_precompile(${name}_test)
    set(alone "*")
    if(ARG_TOGETHER)
      set(alone "-${ARG_TOGETHER}")
      add_test(NAME ${name}.together COMMAND ${name}_test "--gtest_filter=${ARG_TOGETHER}")
      set_tests_properties(${name}.together PROPERTIES TIMEOUT 600)
    endif()
    gtest_discover_tests(${name}_test TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
                         TEST_FILTER "${alone}" PROPERTIES TIMEOUT 120)
  endif()

  if(SEEDCORE_FUZZERS)
    foreach(source IN LISTS fuzzers)
      get_filename_component(fuzzer ${source} NAME_WE)
      add_executable(${fuzzer} ${source})
      target_link_libraries(${fuzzer} PRIVATE ${target} -fsanitize=fuzzer)
      add_dependencies(fuzzers ${fuzzer})
    endforeach()
  endif()
endfunction()

# The standard headers and Boost.JSON's value cost more than most of our own files; they are compiled once. They are named
# here, not in a header of ours, so that no path of this checkout is in the result and every checkout shares one cache.
function(seedcore_precompile target)
  if(NOT TARGET seedcore_pch)
    add_library(seedcore_pch STATIC ${PROJECT_SOURCE_DIR}/cmake/pch.cc)
    target_link_libraries(seedcore_pch PUBLIC seedcore_options Boost::json fmt::fmt)
    target_precompile_headers(seedcore_pch PRIVATE
      <algorithm> <chrono> <condition_variable> <expected> <functional> <map> <memory> <mutex> <optional> <span> <string>
      <string_view> <thread> <tuple> <variant> <vector>
      <boost/json/array.hpp> <boost/json/object.hpp> <boost/json/value.hpp> <fmt/format.h>)
    if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
      target_compile_options(seedcore_pch PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
    endif()
  endif()
  target_link_libraries(${target} PRIVATE Boost::json fmt::fmt)
  target_precompile_headers(${target} REUSE_FROM seedcore_pch)
endfunction()

# seedcore_program(TARGET): what every program of ours that is measured or shipped has in common.
function(seedcore_program target)
  seedcore_precompile(${target})
  if(SEEDCORE_MIMALLOC)
    # Before all else, so that it is where malloc and free are found.
    target_link_libraries(${target} PRIVATE mimalloc)
  endif()
endfunction()
