# SPDX-License-Identifier: Apache-2.0
# Installs BUILD_DIR below WORK_DIR, then configures, builds and runs the consumer against the installed package alone.
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY COMMAND_ECHO STDOUT)
endfunction()

file(REMOVE_RECURSE ${WORK_DIR})
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${WORK_DIR}/prefix)
# Nothing of the source tree may be needed: the installed package is used from another place.
file(RENAME ${WORK_DIR}/prefix ${WORK_DIR}/moved)
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/../../examples/use_from_cmake -B ${WORK_DIR}/build -DCMAKE_PREFIX_PATH=${WORK_DIR}/moved
    -DCMAKE_BUILD_TYPE=${BUILD_TYPE} -DCMAKE_CXX_COMPILER=${CXX_COMPILER} "-DCMAKE_CXX_FLAGS=${CXX_FLAGS}")
run(${CMAKE_COMMAND} --build ${WORK_DIR}/build)
run(${WORK_DIR}/build/consumer)

if(EXISTS ${WORK_DIR}/moved/bin/cavi)
  foreach(file share/man/man1/cavi.1 share/bash-completion/completions/cavi share/zsh/site-functions/_cavi)
    file(READ ${WORK_DIR}/moved/${file} text LIMIT 4096)
    if(NOT text MATCHES cavi)
      message(FATAL_ERROR "${file} says nothing of cavi")
    endif()
  endforeach()
endif()
