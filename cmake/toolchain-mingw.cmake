# What both word sizes share. Lua comes from tools/lua-for-windows; what is built runs under tools/in-wine.
# SPDX-License-Identifier: MIT
set(CMAKE_SYSTEM_NAME Windows)
set(triplet ${CMAKE_SYSTEM_PROCESSOR}-w64-mingw32)
set(CMAKE_C_COMPILER ${triplet}-gcc)
set(CMAKE_RC_COMPILER ${triplet}-windres)
set(CMAKE_CROSSCOMPILING_EMULATOR "${CMAKE_CURRENT_LIST_DIR}/../tools/in-wine")

get_filename_component(lua_root "${CMAKE_CURRENT_LIST_DIR}/../build/lua-windows/${CMAKE_SYSTEM_PROCESSOR}" ABSOLUTE)
set(CMAKE_FIND_ROOT_PATH /usr/${triplet} "${lua_root}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
