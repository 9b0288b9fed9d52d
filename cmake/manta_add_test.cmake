# How tests are added. Names are dotted (`core.scheduling.queue`); labels are unit, mpi, gpu, fault, slow, install.
#
# manta_add_unit_test(NAME <name> SOURCES <file>... [LINK <target>...] [ARGS <arg>...] [LABELS <label>...]
#                     [TIMEOUT <s>])
#   A GoogleTest program, with its main, on core (and gpu) alone: label unit, 60 s. LABELS adds to unit.
#
# manta_add_mpi_test(NAME <name> NP <n>... SOURCES <file>... [MAIN mpi|driver|none] [LINK <target>...] [ARGS <arg>...]
#                    [LABELS <label>...] [TIMEOUT <s>] [MPIRUN_FLAGS <flag>...])
#   The same under mpirun, one entry a rank count: `<name>.np<n>`, label mpi, 60 s. MAIN says who starts the tests:
#   mpi (default): MPI_Init, then every rank runs them; driver: manta::Run, only rank 0 runs them, as the driver, and
#   nothing may be left on any rank after each; none: the sources have their own main.
#
# manta_add_mpi_run_test(NAME <name> NP <n>... TARGET <target> [ARGS <arg>...] [EXIT <code>] [EXPECT <regex>]
#                        [REJECT <regex>] [ENV <VAR=value>...] [LABELS <label>...] [TIMEOUT <s>] [MPIRUN_FLAGS <flag>...])
#   An existing program (an example) under mpirun. NP 0 starts it without mpirun. It must end with EXIT (0); its output
#   (stdout and stderr) must hold a line that EXPECT matches and none that REJECT does (grep -E).
#
# MPI tests go through tests/support/run_mpi_test.sh: it ends what runs past its time, and fails a test that leaves a
# process or a file in /dev/shm behind.

execute_process(COMMAND ${MPIEXEC_EXECUTABLE} --version OUTPUT_VARIABLE mpiexec_version ERROR_QUIET)
if(mpiexec_version MATCHES "Open MPI|OpenRTE|prte")
  # Tests share the cores: ranks are not pinned, and may be more than the cores.
  set(MANTA_MPIRUN ${MPIEXEC_EXECUTABLE} --oversubscribe --bind-to none)
else()
  set(MANTA_MPIRUN ${MPIEXEC_EXECUTABLE})
endif()
# All programs of one kind: cmake --build --preset asan --target manta_unit_tests.
add_custom_target(manta_unit_tests)
add_custom_target(manta_mpi_tests)
set(MANTA_RUN_MPI_TEST ${PROJECT_SOURCE_DIR}/tests/support/run_mpi_test.sh)

# Makes the program of a test: internal headers by their path from the root, GoogleTest precompiled.
function(manta_test_program name)
  add_executable(${name} ${ARGN})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_precompile_headers(${name} REUSE_FROM manta_test_pch)
  manta_target_warnings(${name})
endfunction()

function(manta_add_unit_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;TIMEOUT" "SOURCES;LINK;ARGS;LABELS")
  manta_test_program(${arg_NAME} ${arg_SOURCES})
  target_link_libraries(${arg_NAME} PRIVATE ${arg_LINK} manta_gpu manta_core GTest::gmock_main)
  add_dependencies(manta_unit_tests ${arg_NAME})
  add_test(NAME ${arg_NAME} COMMAND ${arg_NAME} ${arg_ARGS})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  set_tests_properties(${arg_NAME} PROPERTIES LABELS "unit;${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
endfunction()

function(manta_add_mpi_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;MAIN;TIMEOUT" "NP;SOURCES;LINK;ARGS;LABELS;MPIRUN_FLAGS")
  if(NOT arg_MAIN OR arg_MAIN STREQUAL mpi)
    list(APPEND arg_SOURCES ${PROJECT_SOURCE_DIR}/tests/support/mpi_gtest_main.cpp)
  elseif(arg_MAIN STREQUAL driver)
    list(APPEND arg_SOURCES
      ${PROJECT_SOURCE_DIR}/tests/support/driver_gtest_main.cpp
      ${PROJECT_SOURCE_DIR}/tests/support/nothing_left.cpp)
  elseif(NOT arg_MAIN STREQUAL none)
    message(FATAL_ERROR "${arg_NAME}: MAIN is '${arg_MAIN}': use mpi, driver or none")
  endif()
  manta_test_program(${arg_NAME} ${arg_SOURCES})
  target_link_libraries(${arg_NAME} PRIVATE ${arg_LINK} manta_launch MPI::MPI_CXX GTest::gmock)
  manta_add_mpi_run_test(NAME ${arg_NAME} NP ${arg_NP} TARGET ${arg_NAME} ARGS ${arg_ARGS} LABELS ${arg_LABELS}
    TIMEOUT ${arg_TIMEOUT} MPIRUN_FLAGS ${arg_MPIRUN_FLAGS})
endfunction()

function(manta_add_mpi_run_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;TARGET;TIMEOUT;EXIT;EXPECT;REJECT" "NP;ARGS;ENV;LABELS;MPIRUN_FLAGS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  set(checks)
  foreach(check EXIT EXPECT REJECT)
    if(DEFINED arg_${check})
      string(TOLOWER ${check} flag)
      list(APPEND checks --${flag} "${arg_${check}}")
    endif()
  endforeach()
  add_dependencies(manta_mpi_tests ${arg_TARGET})
  math(EXPR ctest_timeout "${arg_TIMEOUT} + 30")  # the script's own limit comes first, and cleans up
  foreach(np IN LISTS arg_NP)
    set(launch ${MANTA_MPIRUN} ${arg_MPIRUN_FLAGS} -np ${np})
    set(processors ${np})
    if(np EQUAL 0)
      set(launch)
      set(processors 1)
    endif()
    add_test(NAME ${arg_NAME}.np${np}
      COMMAND ${MANTA_RUN_MPI_TEST} --timeout ${arg_TIMEOUT} ${checks}
        -- ${launch} $<TARGET_FILE:${arg_TARGET}> ${arg_ARGS})
    set_tests_properties(${arg_NAME}.np${np} PROPERTIES
      LABELS "mpi;${arg_LABELS}"
      TIMEOUT ${ctest_timeout}
      PROCESSORS ${processors}
      ENVIRONMENT "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1;${arg_ENV}")
  endforeach()
endfunction()
