# SPDX-License-Identifier: Apache-2.0
include(CMakePackageConfigHelpers)
set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cavi)

install(TARGETS cavi EXPORT cavi-targets FILE_SET HEADERS)
if(TARGET cavi_cli)
  install(TARGETS cavi_cli)
endif()
install(EXPORT cavi-targets NAMESPACE cavi:: DESTINATION ${config_dir})
configure_package_config_file(cmake/cavi-config.cmake.in ${PROJECT_BINARY_DIR}/cavi-config.cmake
                              INSTALL_DESTINATION ${config_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cavi-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cavi-config.cmake ${PROJECT_BINARY_DIR}/cavi-config-version.cmake
              cmake/Findlibzip.cmake
        DESTINATION ${config_dir})
