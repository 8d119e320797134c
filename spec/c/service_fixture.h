/* service_fixture.h: units for the tests of service.h, below /run, so under tools/in-systemd only. Include it with
 * _GNU_SOURCE. SPDX-License-Identifier: MIT */
#ifndef SERVICE_FIXTURE_H
#define SERVICE_FIXTURE_H

#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "check.h"
#include "os/clock.h"
#include "os/service.h"

#define SLEEPER "[Service]\nExecStart=/bin/sleep 1000\n"

static rsm__services *services;
static rsm__arena arena;
static rsm__service_facts facts;
static rsm_error problem;

static inline bool in_systemd(void) {
  const char *value = getenv("IN_SYSTEMD");
  if (value && strcmp(value, "1") == 0 && geteuid() == 0) return true;
  puts("pending: not under tools/in-systemd");
  return false;
}

/* ---- Units ---- */

static inline int try_shell(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));
static inline int try_shell(const char *format, ...) {
  char command[4096];
  va_list values;
  va_start(values, format);
  vsnprintf(command, sizeof command, format, values);
  va_end(values);
  fflush(stdout);
  int status = system(command);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define SHELL(...) CHECK_INT(try_shell(__VA_ARGS__), 0)

static inline void put_file(const char *path, const char *content) {
  FILE *file = fopen(path, "we");
  CHECK(file && fputs(content, file) >= 0 && fclose(file) == 0);
}

static inline void unit(const char *name, const char *content) {
  char path[512];
  snprintf(path, sizeof path, "/run/systemd/system/%s", name);
  put_file(path, content);
}

static inline void reload(void) {
  SHELL("systemctl daemon-reload");
}

/* ---- Asking ---- */

static inline void begin(void) {
  CHECK(rsm__services_new(NULL, &services, NULL) == RSM_OK);
}

static inline void finish(void) {
  services = rsm__services_free(services);
  rsm__arena_done(&arena);
  CHECK_INT(rsm__alloc_live(), 0);
}

static inline rsm__service_id system_id(const char *name) {
  return (rsm__service_id){.name = name};
}

static inline void must(rsm_status status) {
  char text[900];
  if (status != RSM_OK) puts(rsm_error_format(&problem, text, sizeof text));
  CHECK_INT(status, RSM_OK);
}

static inline const rsm__service_facts *inspect(const char *name) {
  const rsm__service_place place = {.id = system_id(name)};
  must(rsm__service_inspect(services, &place, &arena, &facts, &problem));
  return &facts;
}

static inline rsm__service_activity look(const char *name) {
  const rsm__service_id id = system_id(name);
  rsm__service_activity activity = RSM__SERVICE_RUNNING;
  must(rsm__service_look(services, &id, &activity, &problem));
  return activity;
}

/* Waits until it is so, at most five seconds; RSM_NO_SUCH_SERVICE is down. */
static inline bool becomes_of(const rsm__service_id *id, rsm__service_activity wanted) {
  uint64_t until = rsm__clock_ms() + 5000;
  while (rsm__clock_ms() < until) {
    rsm__service_activity activity = RSM__SERVICE_RUNNING;
    rsm_status status = rsm__service_look(services, id, &activity, &problem);
    if (status == RSM_NO_SUCH_SERVICE && wanted == RSM__SERVICE_DOWN) return true;
    must(status);
    if (activity == wanted) return true;
    rsm__services_wait(services, until);
  }
  return false;
}

static inline bool becomes(const char *name, rsm__service_activity wanted) {
  const rsm__service_id id = system_id(name);
  return becomes_of(&id, wanted);
}

static inline rsm_status stop(const char *name) {
  const rsm__service_id id = system_id(name);
  return rsm__service_stop(services, &id, &problem);
}

static inline rsm_status start(const char *name, rsm_process *ret_main) {
  const rsm__service_id id = system_id(name);
  return rsm__service_start(services, &id, ret_main, &problem);
}

static inline const rsm__service_link *link_to(const char *name) {
  for (size_t i = 0; i < facts.link_count; i++)
    if (strcmp(facts.links[i].id.name, name) == 0) return &facts.links[i];
  return NULL;
}

static inline bool has_link(const char *name, rsm__service_role role, unsigned depth) {
  const rsm__service_link *link = link_to(name);
  return link && link->role == role && link->depth == depth;
}

/* ---- Another user ---- */

static inline uid_t make_user(void) {
  (void)try_shell("useradd -m rsmtest 2>/dev/null");
  FILE *pipe = popen("id -u rsmtest", "re");
  unsigned uid = 0;
  CHECK(pipe && fscanf(pipe, "%u", &uid) == 1 && uid > 0);
  pclose(pipe);
  return uid;
}

/* Runs it as that user, in a process of its own. */
static inline void as_user(uid_t uid, void (*run)(void)) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    CHECK(setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0);
    begin();
    run();
    finish();
    fflush(stdout);
    _exit(0);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK_INT(status, 0);
}

#endif
