# seedcore_room(NAME [DEPENDS room...] [LIBRARIES target...] [TOGETHER filter [SHARDS n]] [FUZZ_SOURCES file... FUZZ_DEPENDS room...])
#
# One folder, one static library `seedcore_NAME`, one test program `NAME_test` out of the folder's *_test.cc files.
# With SEEDCORE_FUZZERS each NAME_fuzz.cc becomes a libFuzzer program, built by the target `fuzzers`.
# A main.cc belongs to a program that the room's CMakeLists.txt declares itself, and a subfolder with a CMakeLists.txt of its
# own is a library of its own.
# testing.cc holds what tests of several rooms share, in a library that the room's CMakeLists.txt declares itself.
# TOGETHER: a GoogleTest filter; the tests it matches share something dear, such as a server, and run as one ctest test, or
# as SHARDS of them side by side, each with a server of its own: GoogleTest deals the tests out, so that none is left out.
# FUZZ_SOURCES, FUZZ_DEPENDS: the files that the room's fuzzers are about and the rooms those need, so that a fuzzer does not
# have the whole room, and all below it, compiled once more; without them it is linked with its room.
# DEPENDS lists rooms further down; tests/architecture checks the includes against the same order.
function(seedcore_room name)
  cmake_parse_arguments(ARG "" "TOGETHER;SHARDS" "DEPENDS;LIBRARIES;FUZZ_SOURCES;FUZZ_DEPENDS" ${ARGN})
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
    # Only for those that name it: no other object depends on where the checkout is, and all checkouts share one cache.
    foreach(source IN LISTS tests)
      file(STRINGS ${source} named REGEX SEEDCORE_SOURCE_DIR LIMIT_COUNT 1)
      if(named)
        set_source_files_properties(${source} PROPERTIES COMPILE_DEFINITIONS SEEDCORE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
      endif()
    endforeach()
    seedcore_precompile_test(${name}_test)
    if(ARG_TOGETHER)
      if(NOT ARG_SHARDS)
        set(ARG_SHARDS 1)
      endif()
      foreach(number RANGE 1 ${ARG_SHARDS})
        set(together ${name}.together.${number})
        math(EXPR index "${number} - 1")
        add_test(NAME ${together} COMMAND ${name}_test "--gtest_filter=${ARG_TOGETHER}")
        set_tests_properties(${together} PROPERTIES TIMEOUT 600 COST 20
                             ENVIRONMENT "GTEST_TOTAL_SHARDS=${ARG_SHARDS};GTEST_SHARD_INDEX=${index}")
      endforeach()
      seedcore_tests(${name}_test ${name} "-${ARG_TOGETHER}")
    else()
      seedcore_tests(${name}_test ${name})
    endif()
  endif()

  if(SEEDCORE_FUZZERS)
    foreach(source IN LISTS fuzzers)
      get_filename_component(fuzzer ${source} NAME_WE)
      if(ARG_FUZZ_SOURCES)
        add_executable(${fuzzer} ${source} ${ARG_FUZZ_SOURCES})
        list(TRANSFORM ARG_FUZZ_DEPENDS PREPEND seedcore_ OUTPUT_VARIABLE rooms)
        target_link_libraries(${fuzzer} PRIVATE ${rooms} -fsanitize=fuzzer)
        seedcore_precompile(${fuzzer})
      else()
        add_executable(${fuzzer} ${source})
        target_link_libraries(${fuzzer} PRIVATE ${target} -fsanitize=fuzzer)
      endif()
      add_dependencies(fuzzers ${fuzzer})
    endforeach()
  endif()
endfunction()

# seedcore_tests(PROGRAM PREFIX [FILTER]): the program's GoogleTest tests, or those of FILTER, as ctest tests PREFIX.SUITE.NAME, each
# in a process of its own. With a sanitizer, where the start of a process takes longer than most tests, in two: PREFIX.half.N.
function(seedcore_tests program prefix)
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    # Without a FILTER there is no flag, so that GTEST_FILTER of the environment (CMakePresets.json) holds.
    list(TRANSFORM ARGN PREPEND --gtest_filter= OUTPUT_VARIABLE filter)
    foreach(number RANGE 1 2)
      math(EXPR index "${number} - 1")
      add_test(NAME ${prefix}.half.${number} COMMAND ${program} ${filter})
      set_tests_properties(${prefix}.half.${number} PROPERTIES TIMEOUT 600 COST 10
                           ENVIRONMENT "GTEST_TOTAL_SHARDS=2;GTEST_SHARD_INDEX=${index}")
    endforeach()
  else()
    gtest_discover_tests(${program} TEST_PREFIX "${prefix}." DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
                         TEST_FILTER "${ARGN}" PROPERTIES TIMEOUT 120)
  endif()
endfunction()

# The standard headers and Boost.JSON's value cost more than most of our own files; they are compiled once. They are named
# here, not in a header of ours, so that no path of this checkout is in the result and every checkout shares one cache.
set(SEEDCORE_PRECOMPILED
  <algorithm> <chrono> <condition_variable> <expected> <functional> <map> <memory> <mutex> <optional> <span> <string>
  <string_view> <thread> <tuple> <variant> <vector>
  <boost/json/array.hpp> <boost/json/object.hpp> <boost/json/value.hpp> <fmt/format.h>)

# TARGET uses the headers compiled for OWNER, a library that is made when first asked for.
function(seedcore_reuse_precompiled target owner)
  cmake_parse_arguments(ARG "" "" "HEADERS;OPTIONS;LIBRARIES" ${ARGN})
  if(NOT TARGET ${owner})
    add_library(${owner} STATIC ${PROJECT_SOURCE_DIR}/cmake/pch.cc)
    target_link_libraries(${owner} PUBLIC seedcore_options Boost::json fmt::fmt ${ARG_LIBRARIES})
    target_compile_options(${owner} PRIVATE ${ARG_OPTIONS})
    target_precompile_headers(${owner} PRIVATE ${SEEDCORE_PRECOMPILED} ${ARG_HEADERS})
    if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
      target_compile_options(${owner} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
    endif()
  endif()
  target_link_libraries(${target} PRIVATE Boost::json fmt::fmt ${ARG_LIBRARIES})
  target_compile_options(${target} PRIVATE ${ARG_OPTIONS})
  target_precompile_headers(${target} REUSE_FROM ${owner})
endfunction()

function(seedcore_precompile target)
  seedcore_reuse_precompiled(${target} seedcore_pch)
endfunction()

# For a program of tests: GoogleTest's headers, too, and a lower optimization, since nothing in it is worth more than the
# time to compile it.
function(seedcore_precompile_test target)
  seedcore_reuse_precompiled(${target} seedcore_test_pch HEADERS <gmock/gmock.h> <gtest/gtest.h> OPTIONS -O1
                             LIBRARIES GTest::gmock)
endfunction()

# seedcore_program(TARGET): what every program of ours that is measured or shipped has in common.
function(seedcore_program target)
  seedcore_precompile(${target})
  if(SEEDCORE_MIMALLOC)
    # Before all else, so that it is where malloc and free are found.
    target_link_libraries(${target} PRIVATE mimalloc)
  endif()
endfunction()
