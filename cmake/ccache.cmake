# Compiles through ccache when there is one, unless the caller chose a launcher.
find_program(MANTA_CCACHE ccache)
mark_as_advanced(MANTA_CCACHE)
if(MANTA_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  # The sloppiness is what ccache's manual asks for with precompiled headers (the tests have one).
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    ${MANTA_CCACHE})
endif()
