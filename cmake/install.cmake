# SPDX-License-Identifier: Apache-2.0
include(CMakePackageConfigHelpers)
set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cavi)

install(TARGETS cavi EXPORT cavi-targets FILE_SET HEADERS)
if(TARGET cavi_cli)
  install(TARGETS cavi_cli)
endif()
if(TARGET cavi_cli AND NOT CMAKE_CROSSCOMPILING)
  # cavi_write(folder name argument...): what the command prints becomes a file of the installation.
  function(cavi_write folder name)
    string(JOIN " " arguments ${ARGN})
    install(CODE "
      set(folder \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${folder}\")
      file(MAKE_DIRECTORY \"\${folder}\")
      message(STATUS \"Writing: \${folder}/${name}\")
      execute_process(COMMAND \"$<TARGET_FILE:cavi_cli>\" ${arguments} OUTPUT_FILE \"\${folder}/${name}\"
                      COMMAND_ERROR_IS_FATAL ANY)")
  endfunction()
  cavi_write(${CMAKE_INSTALL_MANDIR}/man1 cavi.1 man)
  cavi_write(${CMAKE_INSTALL_DATADIR}/bash-completion/completions cavi completion bash)
  cavi_write(${CMAKE_INSTALL_DATADIR}/zsh/site-functions _cavi completion zsh)
endif()
install(EXPORT cavi-targets NAMESPACE cavi:: DESTINATION ${config_dir})
configure_package_config_file(cmake/cavi-config.cmake.in ${PROJECT_BINARY_DIR}/cavi-config.cmake
                              INSTALL_DESTINATION ${config_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cavi-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cavi-config.cmake ${PROJECT_BINARY_DIR}/cavi-config-version.cmake
              cmake/Findlibzip.cmake
        DESTINATION ${config_dir})
