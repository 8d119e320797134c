/* measure.h: what our own measured programs share. SPDX-License-Identifier: MIT */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "rsm.h"

/* Microseconds: of the clock, and of processor time that all our threads have used. */
double measure_now(void);
double measure_cpu(void);

/* Ends the program with the reason. */
__attribute__((noreturn)) void measure_die(const char *what, const rsm_error *error);
#define MUST(call, error)                                                                                              \
  do {                                                                                                                 \
    if ((call) != RSM_OK) measure_die(#call, error);                                                                   \
  } while (0)

/* The first `count` lines of a file (fewer: ends the program). They stay until the program ends. */
const char *const *measure_read_lines(const char *path, size_t count);

#endif
