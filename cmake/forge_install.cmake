# Library, headers, CMake package and pkg-config file; the same rules serve `cmake --install` and the wheel.
include(CMakePackageConfigHelpers)
set(FORGE_CMAKEDIR ${CMAKE_INSTALL_LIBDIR}/cmake/forge_rt)
install(TARGETS forge_rt EXPORT forge_rtTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
install(DIRECTORY cpp/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(EXPORT forge_rtTargets NAMESPACE forge_rt:: DESTINATION ${FORGE_CMAKEDIR} COMPONENT development)
configure_package_config_file(cmake/forge_rtConfig.cmake.in forge_rtConfig.cmake INSTALL_DESTINATION ${FORGE_CMAKEDIR})
write_basic_package_version_file(forge_rtConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/forge_rtConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/forge_rtConfigVersion.cmake
  DESTINATION ${FORGE_CMAKEDIR} COMPONENT development)
configure_file(cmake/forge_rt.pc.in forge_rt.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/forge_rt.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
