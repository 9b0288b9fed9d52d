# Finds hwloc. Defines the target Hwloc::hwloc, Hwloc_FOUND and Hwloc_VERSION. Hint: Hwloc_ROOT.
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(PC_HWLOC QUIET hwloc)
endif()
find_path(Hwloc_INCLUDE_DIR hwloc.h HINTS ${PC_HWLOC_INCLUDE_DIRS})
find_library(Hwloc_LIBRARY hwloc HINTS ${PC_HWLOC_LIBRARY_DIRS})
mark_as_advanced(Hwloc_INCLUDE_DIR Hwloc_LIBRARY)

if(Hwloc_INCLUDE_DIR)
  # Debian keeps the generated part in an architecture's folder; the version in it is the same everywhere.
  file(GLOB_RECURSE hwloc_config ${Hwloc_INCLUDE_DIR}/hwloc/autogen/config.h)
  if(hwloc_config)
    list(GET hwloc_config 0 hwloc_config)
    file(STRINGS ${hwloc_config} hwloc_version REGEX "#define HWLOC_VERSION \"")
    string(REGEX MATCH "[0-9]+\\.[0-9]+(\\.[0-9]+)?" Hwloc_VERSION "${hwloc_version}")
  elseif(PC_HWLOC_VERSION)
    set(Hwloc_VERSION ${PC_HWLOC_VERSION})
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Hwloc
  REQUIRED_VARS Hwloc_LIBRARY Hwloc_INCLUDE_DIR
  VERSION_VAR Hwloc_VERSION)

if(Hwloc_FOUND AND NOT TARGET Hwloc::hwloc)
  add_library(Hwloc::hwloc UNKNOWN IMPORTED)
  set_target_properties(Hwloc::hwloc PROPERTIES
    IMPORTED_LOCATION ${Hwloc_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${Hwloc_INCLUDE_DIR})
endif()
