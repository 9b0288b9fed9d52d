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
