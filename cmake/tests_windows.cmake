# The tests of Windows: natively, where all share a user's folder of sessions, or under Wine by tools/in-wine, where
# tools/run-tests-windows gives each that runs at the same time a prefix of its own.
if(NOT CMAKE_CROSSCOMPILING)
  set(RSM_ONE_STORE ON)
endif()

file(GLOB test_sources CONFIGURE_DEPENDS spec/c/windows/test_*.c)
list(FILTER test_sources EXCLUDE REGEX "/test_system") # cmake/tests_system.cmake has those
rsm_add_test_programs(${test_sources} spec/c/test_core_base.c spec/c/test_core_lists.c spec/c/test_core_managers.c
  spec/c/test_journal.c spec/c/test_plan.c spec/c/test_session_memory.c)
set_tests_properties(test_speed PROPERTIES RUN_SERIAL ON COST 1000) # before the others, so that nobody waits for it

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

# What specs do that Lua's own library cannot, and Lua's DLL for those that bring an interpreter.
if(LUA_INCDIR AND LUA_LIBRARY)
  rsm_add_lua_programs(lua_threads)
  if(CMAKE_CROSSCOMPILING)
    get_filename_component(lua_bin "${LUA_LIBRARY}/../../bin" ABSOLUTE)
    set_property(TEST lua_threads APPEND PROPERTY ENVIRONMENT "WINEPATH=Z:${lua_bin}")
  endif()
  add_library(spec_windows MODULE spec/c/windows/spec_windows.c)
  set_target_properties(spec_windows PROPERTIES PREFIX "" SUFFIX .dll
    LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/spec")
  target_include_directories(spec_windows SYSTEM PRIVATE "${LUA_INCDIR}")
  target_include_directories(spec_windows PRIVATE src)
  target_link_libraries(spec_windows PRIVATE rsm_warnings advapi32 user32 "${LUA_LIBRARY}")
endif()

include(cmake/tests_dll.cmake)
include(cmake/tests_system.cmake)

# Under Wine the specs are tests as well, one a file: they run beside the others. Of system_spec most needs our own DLL in
# the system's folder; one describe is about Wine's.
if(CMAKE_CROSSCOMPILING AND CMAKE_SIZEOF_VOID_P EQUAL 8)
  get_filename_component(preset "${PROJECT_BINARY_DIR}" NAME)
  file(GLOB specs CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}" spec/*_spec.lua spec/windows/*_spec.lua)
  foreach(spec IN LISTS specs)
    get_filename_component(name "${spec}" NAME_WE)
    rsm_add_test(${name} tools/busted-in-wine ${preset} ${spec})
  endforeach()
  set_property(TEST system_spec APPEND PROPERTY ENVIRONMENT "FILTER=under Wine")
  rsm_add_test(system_spec_over_ours tools/busted-in-wine ${preset} spec/windows/system_spec.lua)
  set_property(TEST system_spec_over_ours APPEND PROPERTY ENVIRONMENT RSM_SYSTEM=ours
    "IN_WINE_WITH=$<TARGET_FILE:rstrtmgr>")
  rsm_add_test(installed tools/check-installed ${preset})
  set_property(TEST kinds_spec APPEND PROPERTY ENVIRONMENT "IN_WINE_WITH=$<TARGET_FILE:scripted_rstrtmgr>")
  # The longest of all in two parts, side by side.
  set(part "when it was killed")
  set_property(TEST adopt_spec APPEND PROPERTY ENVIRONMENT "FILTER=${part}")
  rsm_add_test(adopt_spec_others tools/busted-in-wine ${preset} --filter-out "${part}" spec/adopt_spec.lua)
  set_tests_properties(adopt_spec adopt_spec_others system_spec_over_ours PROPERTIES TIMEOUT 300)
  # What takes longest begins first.
  set(cost 100)
  foreach(name IN ITEMS test_session_memory client_stop_p2 client_restart test_ask registration_spec client_stop_p0
      test_service restart_spec session_spec client_stop_p1 test_holders adopt_spec_others shutdown_spec
      system_spec_over_ours adopt_spec)
    math(EXPR cost "${cost} + 1")
    set_tests_properties(${name} PROPERTIES COST ${cost})
  endforeach()
endif()
