/* registration.h: an application says how it wants to be started again.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_LUA_REGISTRATION_H
#define RSM_LUA_REGISTRATION_H

#include <lauxlib.h>
#include <lua.h>

extern const luaL_Reg rsml_registration_functions[];

#endif
