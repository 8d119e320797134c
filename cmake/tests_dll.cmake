# rstrtmgr.dll: its functions over a manager that follows a script, and clients that know only Windows' header and have
# the DLL beside them. `-lrstrtmgr` is MinGW's import library, not our target.
list(FILTER dll_sources INCLUDE REGEX "\\.c$")
foreach(name IN ITEMS test_dll test_dll_threads)
  target_sources(${name} PRIVATE ${dll_sources})
endforeach()

function(rsm_add_client name)
  list(TRANSFORM ARGN PREPEND spec/c/windows/)
  add_executable(${name} spec/c/windows/${name}.c ${ARGN})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/rstrtmgr")
  target_include_directories(${name} PRIVATE spec/c src)
  target_link_libraries(${name} PRIVATE rsm_warnings -lrstrtmgr advapi32)
endfunction()

# A program that registers itself for restart, with the library, as applications do. What it calls itself is
# compiled apart: the compiler of resources knows none of the C compiler's options.
enable_language(RC)
add_library(registered_rc OBJECT spec/c/windows/registered.rc)
add_executable(registered spec/c/windows/registered.c $<TARGET_OBJECTS:registered_rc>)
target_link_libraries(registered PRIVATE rsm rsm_flags)

foreach(name IN ITEMS sample_primary sample_secondary)
  rsm_add_client(${name})
  target_link_options(${name} PRIVATE -municode)
endforeach()
rsm_add_client(client_exports client.c)
rsm_add_client(client_sessions client.c)
rsm_add_client(client_lists client.c client_service.c)
rsm_add_client(client_stop client.c client_service.c)
rsm_add_client(client_restart client.c client_service.c)
rsm_add_client(client_samples client.c)
foreach(name IN ITEMS exports sessions lists stop restart samples)
  add_dependencies(client_${name} rstrtmgr holder holder_windowed service registered sample_primary sample_secondary)
endforeach()

# In parts, by the beginnings of the checks' names: each has the usual limit, on a busy machine, too.
foreach(test IN ITEMS exports samples sessions:s0 sessions:s1 sessions:r0 lists:l0 lists:l1 lists:f0 stop:p0 stop:p1 stop:p2
    restart)
  string(REPLACE ":" ";" words "${test}")
  list(POP_FRONT words client)
  string(REPLACE ":" "_" name "client_${test}")
  rsm_add_test(${name} client_${client} ${words})
endforeach()
