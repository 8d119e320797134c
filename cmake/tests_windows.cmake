# The tests of Windows: natively, or under Wine by tools/in-wine, where all share a user's folder of sessions.
set(RSM_ONE_STORE ON)

file(GLOB test_sources CONFIGURE_DEPENDS spec/c/windows/test_*.c)
list(FILTER test_sources EXCLUDE REGEX "/test_system") # cmake/tests_system.cmake has those
rsm_add_test_programs(${test_sources} spec/c/test_core_base.c spec/c/test_core_lists.c spec/c/test_core_managers.c
  spec/c/test_plan.c)

# The fixture programs: one that holds files (also one without a console from the start), and a service.
foreach(name IN ITEMS holder holder_windowed)
  add_executable(${name} spec/c/windows/holder.c spec/c/windows/holder_window.c spec/c/windows/holder_report.c)
endforeach()
add_executable(service spec/c/windows/service.c)
target_link_options(holder_windowed PRIVATE -mwindows)
foreach(name IN ITEMS holder holder_windowed service)
  target_link_libraries(${name} PRIVATE rsm_warnings advapi32 user32)
  target_link_options(${name} PRIVATE -municode)
endforeach()

# What specs do that Lua's own library cannot.
if(LUA_INCDIR AND LUA_LIBRARY)
  add_library(spec_windows MODULE spec/c/windows/spec_windows.c)
  set_target_properties(spec_windows PROPERTIES PREFIX "" SUFFIX .dll
    LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/spec")
  target_include_directories(spec_windows SYSTEM PRIVATE "${LUA_INCDIR}")
  target_link_libraries(spec_windows PRIVATE rsm_warnings "${LUA_LIBRARY}")
endif()

include(cmake/tests_dll.cmake)
include(cmake/tests_system.cmake)
