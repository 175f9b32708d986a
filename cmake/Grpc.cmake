# gRPC and the protobuf runtime for the Ray Client, as two targets: seedcore_grpc and protobuf::libprotobuf-lite.
#
# Both are linked statically, like Boost: the program does not need some fifty shared libraries to be found, relocated and
# initialized at every start. Debian's CMake package of gRPC only knows the shared ones, hence pkg-config.
find_package(PkgConfig REQUIRED)
set(Protobuf_USE_STATIC_LIBS ON)
find_package(Protobuf 3.21 REQUIRED)
pkg_check_modules(SEEDCORE_GRPC REQUIRED grpc++>=1.51)

set(archives)
foreach(name IN LISTS SEEDCORE_GRPC_STATIC_LIBRARIES)
  # The system's own, and OpenSSL, whose security updates must reach us without a new build.
  if(name MATCHES "^(ssl|crypto|z|rt|dl|pthread|atomic)$")
    continue()
  endif()
  find_library(SEEDCORE_GRPC_LIB_${name} NAMES lib${name}.a HINTS ${SEEDCORE_GRPC_LIBRARY_DIRS} REQUIRED)
  mark_as_advanced(SEEDCORE_GRPC_LIB_${name})
  list(APPEND archives ${SEEDCORE_GRPC_LIB_${name}})
endforeach()
list(REMOVE_DUPLICATES archives)

add_library(seedcore_grpc INTERFACE)
target_link_libraries(seedcore_grpc INTERFACE -Wl,--start-group ${archives} -Wl,--end-group
                      OpenSSL::SSL OpenSSL::Crypto ZLIB::ZLIB Threads::Threads rt dl)
