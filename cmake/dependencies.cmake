# What the library needs: installed packages only, nothing is fetched. MantaConfig.cmake.in repeats this list.
# GLOBAL: a project that adds Manta as a subdirectory links them too.
set(THREADS_PREFER_PTHREAD_FLAG ON)
set(MPI_CXX_SKIP_MPICXX ON)  # the C interface only
find_package(Threads REQUIRED GLOBAL)
find_package(MPI 3.1 REQUIRED COMPONENTS CXX GLOBAL)
find_package(Hwloc 2.0 REQUIRED GLOBAL)
find_package(cereal 1.3.2 REQUIRED CONFIG GLOBAL)
find_package(Boost 1.74 REQUIRED CONFIG COMPONENTS context GLOBAL)
find_package(fmt 8 REQUIRED CONFIG GLOBAL)

# Of objects on disk: checksums (without zlib Boost's, several times slower) and compression (without zstd: none).
find_package(ZLIB QUIET)
find_path(MANTA_ZSTD_INCLUDE zstd.h)
find_library(MANTA_ZSTD_LIBRARY zstd)
mark_as_advanced(MANTA_ZSTD_INCLUDE MANTA_ZSTD_LIBRARY)
set(manta_spill_libraries "")
set(MANTA_PC_SPILL "")
if(ZLIB_FOUND)
  list(APPEND manta_spill_libraries ${ZLIB_LIBRARIES})
  string(APPEND MANTA_PC_SPILL " -lz")
endif()
set(MANTA_ZSTD_FOUND OFF)
if(MANTA_ZSTD_INCLUDE AND MANTA_ZSTD_LIBRARY)
  set(MANTA_ZSTD_FOUND ON)
  list(APPEND manta_spill_libraries ${MANTA_ZSTD_LIBRARY})
  string(APPEND MANTA_PC_SPILL " -lzstd")
endif()
