# manta_add_compile_fail_test(NAME <name> SOURCE <file> EXPECT "<regex>" [TARGET <target>] [LABELS <label>...])
#
# A test (label unit) that compiles SOURCE (-fsyntax-only) against TARGET's (manta_core's) public headers twice: with
# -DMANTA_POSITIVE_CONTROL it must compile, so that it does not fail for another reason; without, it must fail, and its
# first error must match EXPECT (grep -E). So a source has the wrong line under #ifndef MANTA_POSITIVE_CONTROL, and the
# right one under #else.
function(manta_add_compile_fail_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;SOURCE;EXPECT;TARGET" "LABELS")
  if(NOT arg_TARGET)
    set(arg_TARGET manta_core)
  endif()
  set(includes $<TARGET_PROPERTY:${arg_TARGET},INTERFACE_INCLUDE_DIRECTORIES>)
  add_test(NAME ${arg_NAME}
    COMMAND ${PROJECT_SOURCE_DIR}/tests/support/compile_fail.sh "${arg_EXPECT}"
      ${CMAKE_CURRENT_SOURCE_DIR}/${arg_SOURCE}
      ${CMAKE_CXX_COMPILER} -std=c++20 "$<$<BOOL:${includes}>:-I$<JOIN:${includes},;-I>>"
    COMMAND_EXPAND_LISTS)
  set_tests_properties(${arg_NAME} PROPERTIES LABELS "unit;${arg_LABELS}" TIMEOUT 60)
endfunction()
