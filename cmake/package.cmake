# Install rules: libraries, headers, the package for find_package(Manta) and manta.pc.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Manta)

install(TARGETS manta manta_launch manta_mpi manta_gpu manta_core EXPORT MantaTargets)
install(TARGETS manta-info RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY core/include/ mpi/include/ gpu/include/
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN *.hpp)
install(EXPORT MantaTargets NAMESPACE manta:: DESTINATION ${package_dir})

configure_package_config_file(cmake/MantaConfig.cmake.in ${PROJECT_BINARY_DIR}/MantaConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/MantaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/MantaConfig.cmake
  ${PROJECT_BINARY_DIR}/MantaConfigVersion.cmake
  cmake/FindHwloc.cmake
  DESTINATION ${package_dir})

# The prefix is said relative to manta.pc, so that `cmake --install --prefix` and a moved tree work.
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH MANTA_PC_PREFIX /prefix/${pkgconfig_dir} /prefix)
list(JOIN MPI_CXX_LIBRARIES " " MANTA_PC_MPI)
configure_file(cmake/manta.pc.in ${PROJECT_BINARY_DIR}/manta.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/manta.pc DESTINATION ${pkgconfig_dir})
