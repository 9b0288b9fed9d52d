# manta_add_room(<room> [HEADERS <folder>] [SOURCES <file>...] [PUBLIC <target>...] [PRIVATE <target>...])
#
# One room of the library: target manta_<room>, also known as manta::<room>. HEADERS is the folder users may include
# from; inside, files include each other from the repository's root. PUBLIC only for what public headers need.
# A room without sources yet is an interface with its public links.
function(manta_add_room room)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "HEADERS" "SOURCES;PUBLIC;PRIVATE")
  set(target manta_${room})
  set(scope PUBLIC)
  if(arg_SOURCES)
    add_library(${target} ${arg_SOURCES})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${target} PRIVATE ${arg_PRIVATE})
    set_target_properties(${target} PROPERTIES
      POSITION_INDEPENDENT_CODE ON  # users may link it into their own shared libraries
      INSTALL_RPATH $ORIGIN  # shared libraries find each other in any prefix
      VERSION ${PROJECT_VERSION}
      SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
    manta_target_warnings(${target})
  else()
    set(scope INTERFACE)
    add_library(${target} INTERFACE)
  endif()
  add_library(manta::${room} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${room})
  target_compile_features(${target} ${scope} cxx_std_20)
  target_link_libraries(${target} ${scope} ${arg_PUBLIC})
  if(arg_HEADERS)
    target_include_directories(${target} ${scope}
      $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/${arg_HEADERS}>
      $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  endif()
endfunction()
