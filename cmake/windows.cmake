# What a build for Windows needs beyond that for Linux. MinGW only; natively, or crosswise with cmake/toolchain-mingw*.
# Everything that we link imports only what every Windows since 10 has (and Lua's own DLL): no libgcc, no libwinpthread;
# C's library is the compiler's, msvcrt.dll or the UCRT (api-ms-win-crt-*.dll).
set(rsm_libraries advapi32 user32 shell32 ole32 uuid version ntdll)
string(REPLACE ";" " -l" rsm_link_line "-l${rsm_libraries}") # the same in words
add_compile_definitions(UNICODE _UNICODE WIN32_LEAN_AND_MEAN _WIN32_WINNT=0x0A00 __USE_MINGW_ANSI_STDIO=1)
add_link_options(-static-libgcc)
if(CMAKE_SIZEOF_VOID_P EQUAL 4)
  set(rsm_plain_names -Wl,--kill-at,--enable-stdcall-fixup) # exported names have no @ and number
endif()

# Windows knows modules only with the names of the DLLs that they are linked to.
find_library(LUA_LIBRARY NAMES lua54 lua5.4 lua-5.4 DOC "Import library of Lua 5.4's DLL")

function(rsm_link_lua_module name)
  if(NOT LUA_LIBRARY)
    message(FATAL_ERROR "No import library of Lua's DLL (liblua54.dll.a) found: run tools/lua-for-windows, or set "
      "LUA_LIBRARY, or RSM_BUILD_LUA=OFF")
  endif()
  target_sources(${name} PRIVATE cmake/core.def) # luaopen_ its only export
  target_link_libraries(${name} PRIVATE "${LUA_LIBRARY}")
  target_link_options(${name} PRIVATE ${rsm_plain_names})
  set_target_properties(${name} PROPERTIES SUFFIX .dll)
endfunction()

function(rsm_link_rstrtmgr name)
  set_target_properties(${name} PROPERTIES PREFIX "" IMPORT_PREFIX ""
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/rstrtmgr"
    ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/rstrtmgr-import")
  target_sources(${name} PRIVATE src/managers.c) # again, without `system`, which would load the DLL itself
  target_link_libraries(${name} PRIVATE rsm rsm_flags)
  target_link_options(${name} PRIVATE ${rsm_plain_names})
endfunction()

# rstrtmgr.dll in a folder of its own: a program that has it beside itself uses it instead of the system's.
# RSM_INSTALL_LUA: what tools/lua-for-windows has made; with it the installed folder runs scripts as it is.
set(RSM_INSTALL_LUA "" CACHE PATH "Install Lua for Windows from this folder, too")
function(rsm_install_for_windows)
  if(TARGET rstrtmgr)
    install(TARGETS rstrtmgr RUNTIME DESTINATION rstrtmgr)
  endif()
  if(RSM_INSTALL_LUA)
    install(PROGRAMS "${RSM_INSTALL_LUA}/bin/lua.exe" "${RSM_INSTALL_LUA}/bin/lua54.dll" DESTINATION bin)
    install(FILES "${RSM_INSTALL_LUA}/lua-license.txt" DESTINATION share/doc/lua)
  endif()
endfunction()
