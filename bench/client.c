/* client.c: the library as an embedder uses it, measured from inside. Times are in microseconds.
 *
 * client list LIST COUNT MS: one session; start, register the first COUNT lines of the file LIST, list, end. With MS it
 * lists again and again for that long, and must find the same processes each time.
 *
 * client shutdown LIST COUNT MS: stops who uses them, with force and that grace, and leaves them stopped.
 *
 * client session TIMES: start, join, register, end.
 *
 * Prints a word and its values a line. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

enum { AGAIN_MOST = 50 };

static rsm_session *start(void) {
  const rsm_start_options options = {.name = "bench"};
  rsm_session *session = NULL;
  rsm_error error;
  MUST(rsm_session_start(&options, &session, &error), &error);
  return session;
}

static void add_files(rsm_session *session, const char *const *files, size_t count) {
  const rsm_resources resources = {.files = files, .file_count = count};
  rsm_error error;
  MUST(rsm_session_register(session, &resources, &error), &error);
}

static rsm_list *list_once(rsm_session *session) {
  rsm_list *list = NULL;
  rsm_error error;
  MUST(rsm_session_list(session, NULL, &list, &error), &error);
  return list;
}

static void end(rsm_session *session, rsm_end_how how) {
  rsm_error error;
  MUST(rsm_session_end(session, how, &error), &error);
  rsm_session_free(session);
}

/* ---- list ---- */

static bool same_processes(const rsm_list *a, const rsm_list *b) {
  if (rsm_list_count(a) != rsm_list_count(b)) return false;
  for (size_t i = 0; i < rsm_list_count(a); i++) {
    if (!rsm_process_equal(&rsm_list_at(a, i)->process, &rsm_list_at(b, i)->process)) return false;
  }
  return true;
}

static void list_again(rsm_session *session, const rsm_list *first, double until) {
  for (int i = 0; i < AGAIN_MOST && (i == 0 || measure_now() < until); i++) {
    double cpu = measure_cpu();
    double began = measure_now();
    rsm_list *list = list_once(session);
    double took = measure_now() - began;
    cpu = measure_cpu() - cpu;
    rsm_scanner_info scanner;
    rsm_scanner(&scanner);
    printf("again %.1f %.1f %llu\n", took, cpu, (unsigned long long)scanner.took_us);
    if (!same_processes(first, list)) measure_die("another listing found others", NULL);
    rsm_list_free(list);
  }
}

static void print_scanner(void) {
  rsm_scanner_info scanner;
  rsm_scanner(&scanner);
  printf("scanner %s\nreason %s\nscan %llu\n", scanner.name, scanner.reason, (unsigned long long)scanner.took_us);
}

static void print_list(const rsm_list *list) {
  for (size_t i = 0; i < rsm_list_count(list); i++) {
    const rsm_app *app = rsm_list_at(list, i);
    printf("holder %u\n", app->process.pid);
    for (size_t k = 0; k < app->process_count; k++) printf("holder %u\n", app->processes[k].pid);
  }
  printf("unreadable %zu\n", rsm_list_unreadable_count(list));
}

static int list_command(char **arguments) {
  size_t count = strtoul(arguments[1], NULL, 10);
  double more = strtod(arguments[2], NULL) * 1000;
  const char *const *files = measure_read_lines(arguments[0], count);
  double began = measure_now();
  rsm_session *session = start();
  double started = measure_now();
  add_files(session, files, count);
  double registered = measure_now();
  rsm_list *list = list_once(session);
  double listed = measure_now();
  printf("start %.1f\nregister %.1f\nlist %.1f\n", started - began, registered - started, listed - registered);
  print_list(list);
  print_scanner();
  if (more > 0) list_again(session, list, measure_now() + more);
  double ending = measure_now();
  rsm_list_free(list);
  end(session, RSM_END_LEAVE_ABANDONED);
  printf("end %.1f\n", measure_now() - ending);
  return 0;
}

/* ---- shutdown ---- */

/* An interrupted shutdown would leave a session to be adopted: it takes a moment only, so it is not interrupted. */
static int shutdown_command(char **arguments) {
  size_t count = strtoul(arguments[1], NULL, 10);
  const char *const *files = measure_read_lines(arguments[0], count);
  const rsm_shutdown_options options = {.force = true, .timeout_ms = (uint32_t)strtoul(arguments[2], NULL, 10)};
  rsm_report *report = NULL;
  rsm_error error;
  signal(SIGINT, SIG_IGN);
  rsm_session *session = start();
  add_files(session, files, count);
  double began = measure_now();
  rsm_status status = rsm_session_shutdown(session, &options, &report, &error);
  printf("shutdown %.1f\n", measure_now() - began);
  if (report) {
    for (size_t i = 0; i < rsm_report_count(report, RSM_OUTCOME_STOPPED); i++)
      printf("holder %u\n", rsm_report_at(report, RSM_OUTCOME_STOPPED, i)->process.pid);
  }
  rsm_report_free(report);
  end(session, RSM_END_LEAVE_STOPPED);
  if (status != RSM_OK) measure_die("rsm_session_shutdown", &error);
  return 0;
}

/* ---- session ---- */

static int session_command(char **arguments) {
  static const char *const file = "/bin/sh";
  for (long i = strtol(arguments[0], NULL, 10); i > 0; i--) {
    rsm_session *second = NULL;
    rsm_error error;
    double began = measure_now();
    rsm_session *first = start();
    double started = measure_now();
    MUST(rsm_session_join(rsm_session_key(first), &second, &error), &error);
    double joined = measure_now();
    add_files(second, &file, 1);
    double registered = measure_now();
    end(second, RSM_END_LEAVE_ABANDONED);
    end(first, RSM_END_LEAVE_ABANDONED);
    printf("session %.1f %.1f %.1f %.1f\n", started - began, joined - started, registered - joined,
           measure_now() - registered);
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 5 && strcmp(argv[1], "list") == 0) return list_command(argv + 2);
  if (argc == 5 && strcmp(argv[1], "shutdown") == 0) return shutdown_command(argv + 2);
  if (argc == 3 && strcmp(argv[1], "session") == 0) return session_command(argv + 2);
  fprintf(stderr, "usage: client list LIST COUNT MS | shutdown LIST COUNT MS | session TIMES\n");
  return 2;
}
