# SPDX-License-Identifier: Apache-2.0
# The transpose has one barrier: listed by EMULATOR_SITES, and missed when EMULATOR_DISABLE takes it out.
function(run_transpose result)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env ${ARGN} ${TEST} --gtest_filter=Programs.TiledTranspose
    RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
  set(${result} ${status} PARENT_SCOPE)
endfunction()

file(REMOVE ${LIST})
run_transpose(status EMULATOR_SITES=${LIST})
if(NOT status EQUAL 0)
  message(FATAL_ERROR "the transpose fails as it is")
endif()
file(STRINGS ${LIST} sites REGEX "^programs\\.hpp:")
set(noticed 0)
foreach(site IN LISTS sites)
  run_transpose(status "EMULATOR_DISABLE=${site} nowhere.cpp:1")
  if(NOT status EQUAL 0)
    math(EXPR noticed "${noticed} + 1")
  endif()
endforeach()
if(NOT noticed EQUAL 1)
  message(FATAL_ERROR "of ${sites} the test misses ${noticed}, not one")
endif()
