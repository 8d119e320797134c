/* check.h: assertions that stay on in every build, and a list of named tests.
 *
 * A test program lists its functions in an array of check_test and ends with `return check_run(tests, count, argc,
 * argv)`: without arguments all run, else those whose names contain the first one. SPDX-License-Identifier: MIT */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition)) check_fail(__FILE__, __LINE__, #condition);                                                      \
  } while (0)

#define CHECK_INT(a, b) check_int(__FILE__, __LINE__, #a " == " #b, (long long)(a), (long long)(b))
#define CHECK_TEXT(a, b) check_text(__FILE__, __LINE__, #a " == " #b, (a), (b))

typedef struct check_test {
  const char *name;
  void (*run)(void);
} check_test;

#define CHECK_TEST(function)                                                                                           \
  { #function, function }

static bool check_failed;

/* The last of the program's own steps: what a failed test leaves behind is no leak. And the search for leaks stops all
 * threads first: one that hangs, because the test has made it hang, would keep the program from failing. */
static void check_leave(void) {
  if (!check_failed) return;
  fflush(NULL);
  _Exit(1);
}

__attribute__((constructor)) static void check_enter(void) {
  atexit(check_leave);
}

static inline void check_exit(void) {
  check_failed = true;
  exit(1);
}

static inline void check_fail(const char *file, int line, const char *what) {
  fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
  check_exit();
}

static inline void check_int(const char *file, int line, const char *what, long long a, long long b) {
  if (a == b) return;
  fprintf(stderr, "%s:%d: not true: %s (%lld, %lld)\n", file, line, what, a, b);
  check_exit();
}

static inline void check_text(const char *file, int line, const char *what, const char *a, const char *b) {
  if (a == b || (a && b && strcmp(a, b) == 0)) return;
  fprintf(stderr, "%s:%d: not true: %s ('%s', '%s')\n", file, line, what, a ? a : "(null)", b ? b : "(null)");
  check_exit();
}

static inline int check_run(const check_test *tests, size_t count, int argc, char **argv) {
  for (size_t i = 0; i < count; i++) {
    if (argc > 1 && !strstr(tests[i].name, argv[1])) continue;
    printf("%s\n", tests[i].name);
    fflush(stdout); /* also so that a test that forks does not print it twice */
    tests[i].run();
  }
  return 0;
}

#endif
