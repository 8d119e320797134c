/* measure.c: see measure.h. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

double measure_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

double measure_cpu(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
         (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

void measure_die(const char *what, const rsm_error *error) {
  char line[1024] = "";
  fprintf(stderr, "%s: %s\n", what, error ? rsm_error_format(error, line, sizeof line) : "failed");
  exit(1);
}

const char *const *measure_read_lines(const char *path, size_t count) {
  FILE *in = fopen(path, "re");
  char **lines = calloc(count + 1, sizeof *lines);
  if (!in || !lines) measure_die(path, NULL);
  for (size_t i = 0; i < count; i++) {
    size_t room = 0;
    ssize_t length = getline(&lines[i], &room, in);
    if (length <= 0) measure_die("too few lines", NULL);
    if (lines[i][length - 1] == '\n') lines[i][length - 1] = '\0';
  }
  fclose(in);
  return (const char *const *)lines;
}
