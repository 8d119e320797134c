# The `system` manager over an rstrtmgr.dll that follows a script and stands in the system's folder: of a Wine prefix of
# its own, since Windows lets nobody replace its own.
add_library(scripted_rstrtmgr SHARED spec/c/windows/scripted_rstrtmgr.c)
set_target_properties(scripted_rstrtmgr PROPERTIES PREFIX "" IMPORT_PREFIX ""
  RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/spec" ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/spec")
target_link_libraries(scripted_rstrtmgr PRIVATE rsm_warnings)
if(CMAKE_SIZEOF_VOID_P EQUAL 4)
  target_link_options(scripted_rstrtmgr PRIVATE -Wl,--kill-at)
endif()

file(GLOB system_tests CONFIGURE_DEPENDS spec/c/windows/test_system*.c)
foreach(source IN LISTS system_tests)
  get_filename_component(name "${source}" NAME_WE)
  add_executable(${name} "${source}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/spec")
  target_link_libraries(${name} PRIVATE rsm rsm_flags)
  target_compile_options(${name} PRIVATE "SHELL:-iquote \"${PROJECT_SOURCE_DIR}/spec/c\"")
  add_dependencies(${name} scripted_rstrtmgr)
  if(CMAKE_CROSSCOMPILING)
    rsm_add_test(${name} tools/in-wine-with $<TARGET_FILE:scripted_rstrtmgr> $<TARGET_FILE:${name}>)
  endif()
endforeach()
