# parley_module(NAME knowledge
#   POSTURE robust_to_untrusted_input      who may feed it: see SECURITY.md
#   SOURCES passage.cc index.cc            listed by hand: a stray file must not join the build unseen
#   TESTS passage_test.cc                  one executable, <name>_test
#   FUZZ passage_fuzz.cc                   one target each; its corpus is testdata/fuzz/<stem>/
#   BENCH index_bench.cc                   one executable, <name>_bench
#   TOOLS x.cc                             (rare) extra executables
#   DEPS base text db                      other modules, exactly those whose headers are included
#   TEST_DEPS testing                      what only the tests include besides
#   LIBS dep::xapian)                      vendor libraries from dependencies.cmake
#
# A header-only module has no SOURCES.
set_property(GLOBAL PROPERTY PARLEY_POSTURES "")

# What scripts/test builds under the sanitizers (the modules' tests and fuzz corpora; the program, its scenarios and its
# benches are not worth building twice), what scripts/fuzz, scripts/bench and scripts/soak run. The lists are files, so
# that a script need not guess from names.
add_custom_target(parley_checks)
add_custom_target(parley_fuzzers)
add_custom_target(parley_benches)
add_custom_target(parley_soaks)
set_property(GLOBAL PROPERTY PARLEY_FUZZERS "")
set_property(GLOBAL PROPERTY PARLEY_BENCHES "")
set_property(GLOBAL PROPERTY PARLEY_SOAKS "")

# parley_bench_program(target arguments...): a program that scripts/bench builds and runs with these arguments.
function(parley_bench_program target)
  add_dependencies(parley_benches ${target})
  list(JOIN ARGN " " arguments)
  set_property(GLOBAL APPEND PROPERTY PARLEY_BENCHES "$<TARGET_FILE:${target}> ${arguments}")
endfunction()

# parley_soak_program(target arguments...): likewise for scripts/soak, whose programs take minutes.
function(parley_soak_program target)
  add_dependencies(parley_soaks ${target})
  list(JOIN ARGN " " arguments)
  set_property(GLOBAL APPEND PROPERTY PARLEY_SOAKS "$<TARGET_FILE:${target}> ${arguments}")
endfunction()

function(parley_module)
  cmake_parse_arguments(M "" "NAME;POSTURE" "SOURCES;TESTS;FUZZ;BENCH;TOOLS;DEPS;LIBS;TEST_DEPS" ${ARGN})
  if(M_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "parley_module(${M_NAME}): unknown words ${M_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT M_POSTURE MATCHES "^(robust_to_untrusted_input|trusts_operator|trusts_caller|experimental)$")
    message(FATAL_ERROR "parley_module(${M_NAME}): POSTURE is required and '${M_POSTURE}' is not one")
  endif()
  set_property(GLOBAL APPEND PROPERTY PARLEY_POSTURES "${M_NAME}|${M_POSTURE}")

  list(TRANSFORM M_DEPS PREPEND parley_ OUTPUT_VARIABLE deps)
  list(TRANSFORM M_TEST_DEPS PREPEND parley_ OUTPUT_VARIABLE test_deps)
  set(target parley_${M_NAME})
  if(M_SOURCES)
    add_library(${target} STATIC ${M_SOURCES})
    target_link_libraries(${target} PUBLIC parley_options fmt::fmt dep::boost dep::json ${deps} ${M_LIBS})
    target_precompile_headers(${target} REUSE_FROM parley_pch)
  else()
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE parley_options fmt::fmt dep::boost ${deps} ${M_LIBS})
  endif()

  if(M_TESTS AND NOT PARLEY_FUZZ)
    add_executable(${M_NAME}_test ${M_TESTS})
    target_link_libraries(${M_NAME}_test PRIVATE ${target} ${test_deps} fmt::fmt dep::boost dep::json
      GTest::gtest GTest::gmock GTest::gtest_main)
    target_precompile_headers(${M_NAME}_test REUSE_FROM parley_pch_test)
    add_test(NAME ${M_NAME} COMMAND ${M_NAME}_test --gtest_brief=1 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(${M_NAME} PROPERTIES TIMEOUT 600 LABELS module)
    add_dependencies(parley_checks ${M_NAME}_test)
  endif()

  foreach(source ${M_FUZZ})
    string(REGEX REPLACE "\\.cc$" "" stem ${source})
    add_executable(${stem} ${source})
    target_link_libraries(${stem} PRIVATE ${target} ${test_deps})
    if(PARLEY_FUZZ)
      target_link_options(${stem} PRIVATE -fsanitize=fuzzer)
      add_dependencies(parley_fuzzers ${stem})
      set_property(GLOBAL APPEND PROPERTY PARLEY_FUZZERS "$<TARGET_FILE:${stem}>")
    else()
      # The corpus is also an ordinary test: a fixed finding stays fixed without a fuzzing run.
      target_sources(${stem} PRIVATE ${CMAKE_SOURCE_DIR}/testing/fuzz_replay.cc)
      add_test(NAME ${stem} COMMAND ${stem} ${CMAKE_SOURCE_DIR}/testdata/fuzz/${stem})
      set_tests_properties(${stem} PROPERTIES TIMEOUT 300 LABELS fuzz)
      add_dependencies(parley_checks ${stem})
    endif()
  endforeach()

  if(M_BENCH AND NOT PARLEY_FUZZ)
    add_executable(${M_NAME}_bench ${M_BENCH})
    target_link_libraries(${M_NAME}_bench PRIVATE ${target} ${test_deps} benchmark::benchmark benchmark::benchmark_main)
    parley_bench_program(${M_NAME}_bench --benchmark_min_time=0.2)
  endif()

  foreach(source ${M_TOOLS})
    string(REGEX REPLACE "\\.cc$" "" stem ${source})
    add_executable(${stem} ${source})
    target_link_libraries(${stem} PRIVATE ${target} fmt::fmt dep::boost dep::json)
  endforeach()
endfunction()

function(parley_write_run_lists)
  foreach(kind FUZZERS BENCHES SOAKS)
    get_property(rows GLOBAL PROPERTY PARLEY_${kind})
    list(JOIN rows "\n" text)
    string(TOLOWER ${kind} name)
    file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/generated/${name}.txt CONTENT "${text}\n")
  endforeach()
endfunction()

# The table SECURITY.md must contain; the tidy test compares the two.
function(parley_write_postures)
  get_property(rows GLOBAL PROPERTY PARLEY_POSTURES)
  set(text "| module | posture |\n|---|---|\n")
  foreach(row ${rows})
    string(REPLACE "|" ";" cells "${row}")
    list(GET cells 0 name)
    list(GET cells 1 posture)
    string(APPEND text "| ${name} | ${posture} |\n")
  endforeach()
  file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/generated/postures.md CONTENT "${text}")
endfunction()
