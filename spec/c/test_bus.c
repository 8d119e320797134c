/* test_bus.c: what we declare of libsystemd is what its own header says, where that is installed; and loading it.
 * SPDX-License-Identifier: MIT */
#if defined(__has_include) && !defined(__cppcheck__)
#if __has_include(<systemd/sd-bus.h>)
#include <systemd/sd-bus.h>
#define RSM__SD_BUS_REAL
#endif
#endif
#include "os/linux/sd_bus.h"

#include <stddef.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "check.h"
#include "os/linux/bus.h"
#include "os/linux/bus_user.h"

#ifdef RSM__SD_BUS_REAL
/* Both are expanded with the real types: a function that is declared in another way does not compile. */
#define IS(function, pointer) _Static_assert(__builtin_types_compatible_p(__typeof__(&(function)), pointer), #function);
#define X(type, name, arguments) IS(sd_##name, type(*) arguments) /* NOLINT(bugprone-macro-parentheses): a type */
RSM__SD_BUS_MAP(X)
#undef X

typedef struct our_error {
  RSM__SD_BUS_ERROR_FIELDS
} our_error;
_Static_assert(sizeof(our_error) == sizeof(sd_bus_error), "size");
_Static_assert(offsetof(our_error, name) == offsetof(sd_bus_error, name), "name");
_Static_assert(offsetof(our_error, message) == offsetof(sd_bus_error, message), "message");
#endif

static void declarations(void) {
#ifndef RSM__SD_BUS_REAL
  puts("pending: no systemd/sd-bus.h here (Debian: libsystemd-dev)");
#endif
}

static void loading(void) {
  rsm__sd_bus library = {0};
  rsm_error error = {0};
  rsm_status status = rsm__sd_bus_load(&library, &error);
  if (status != RSM_OK) {
    CHECK_INT(status, RSM_NOT_SUPPORTED);
    CHECK(strstr(error.detail, "libsystemd"));
    return;
  }
  sd_bus *bus = NULL;
  CHECK(library.bus_new(&bus) >= 0 && bus);
  CHECK(library.bus_is_open(bus) <= 0);
  library.bus_unref(bus);
}

static void without_systemd(void) {
  struct stat folder;
  if (lstat("/run/systemd/system", &folder) == 0) {
    puts("pending: systemd runs here");
    return;
  }
  rsm__bus *bus = NULL;
  rsm_error error = {0};
  CHECK_INT(rsm__bus_open(false, 0, NULL, &bus, &error), RSM_NOT_SUPPORTED);
  CHECK(strstr(error.detail, "systemd"));
  CHECK_INT(rsm__bus_open(true, 0, NULL, &bus, &error), RSM_NOT_SUPPORTED);
  CHECK(!bus && !rsm__bus_close(NULL));
  CHECK_INT(rsm__alloc_live(), 0);
}

static void sockets(void) {
  int fd = -1;
  rsm_error error = {0};
  char path[200];
  CHECK_INT(rsm__bus_connect("/no/such/socket", &fd, &error), RSM_NOT_FOUND);
  CHECK_TEXT(error.subject, "/no/such/socket");
  memset(path, 'x', sizeof path - 1);
  path[sizeof path - 1] = '\0';
  CHECK_INT(rsm__bus_connect(path, &fd, &error), RSM_INVALID_PARAMETER);
  /* Nobody has this number. */
  rsm_status status = rsm__bus_connect_user(4000000001u, 1000, &fd, &error);
  CHECK(status == RSM_NOT_FOUND || status == RSM_ACCESS_DENIED);
  CHECK_INT(fd, -1);
}

static void unit_paths(void) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  CHECK_TEXT(rsm__bus_unit_path("dbus.service", &arena), "/org/freedesktop/systemd1/unit/dbus_2eservice");
  CHECK_TEXT(rsm__bus_unit_path("a@1-x\\x2d.service", &arena),
             "/org/freedesktop/systemd1/unit/a_401_2dx_5cx2d_2eservice");
  CHECK_TEXT(rsm__bus_unit_path("9p.service", &arena), "/org/freedesktop/systemd1/unit/_39p_2eservice");
}

int main(int argc, char **argv) {
  static const check_test tests[] = {CHECK_TEST(declarations), CHECK_TEST(loading), CHECK_TEST(without_systemd),
                                     CHECK_TEST(sockets), CHECK_TEST(unit_paths)};
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
