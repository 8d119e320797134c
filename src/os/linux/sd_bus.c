/* sd_bus.c: loading libsystemd. It stays loaded: it keeps memory for each thread that used it, to be freed when that
 * thread ends. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os/linux/sd_bus.h"

#include <dlfcn.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"

static const char LIBRARY[] = "libsystemd.so.0";

rsm_status rsm__sd_bus_load(rsm__sd_bus *ret_table, rsm_error *reterr) {
  static const char *const names[] = {
#define X(type, name, arguments) "sd_" #name,
      RSM__SD_BUS_MAP(X)
#undef X
  };
  void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library)
    return rsm__fail(reterr, RSM_NOT_SUPPORTED, LIBRARY, "services are managed through libsystemd, which is not here");
  void *functions[RSM_COUNT(names)];
  const char *missing = NULL;
  for (size_t i = 0; i < RSM_COUNT(names); i++) {
    functions[i] = dlsym(library, names[i]);
    if (!functions[i]) missing = names[i];
  }
  dlclose(library); /* counts only: nodelete */
  if (missing)
    return rsm__fail(reterr, RSM_NOT_SUPPORTED, LIBRARY, "the installed libsystemd is too old: it lacks %s", missing);
  /* The table is nothing but these pointers, in this order; POSIX lets a function's address be kept in a void *. */
  _Static_assert(sizeof functions == sizeof *ret_table, "one pointer a function");
  memcpy(ret_table, functions, sizeof *ret_table);
  return RSM_OK;
}
