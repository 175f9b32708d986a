# Everything comes from Debian packages (packages.txt); docs/dependencies.md says why each is here.
# Boost is linked statically, so that the program runs where only the C++ run-time is installed.
set(Boost_USE_STATIC_LIBS ON)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(PostgreSQL REQUIRED)  # libpq
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(GTest REQUIRED)
if(SEEDCORE_BENCHMARKS)
  find_package(benchmark REQUIRED)
endif()
