/* scope.c: transient scopes for programs that are started again.
 *
 * Without one the program would be in the control group of whoever starts it, and systemd ends all in it when it stops
 * that unit: an installer that is a service itself would take down what it has just brought back. A scope whose
 * processes have all ended is collected by its manager, so a starter that dies in between leaves nothing.
 *
 * The race that remains: managers take a pid. Its user may kill the waiting process just now, and another process may
 * get the number at once: then that one is moved, a user's manager moving none but this user's.
 *
 * call              | purpose                   | blocks
 * rsm__bounded_run  | the manager's answers     | RSM__SCOPE_LIMIT_MS without progress: a manager's own limit is longer
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os/linux/scope.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "os/clock.h"
#include "os/common/bounded.h"
#include "os/linux/bus.h"
#include "os/linux/fd.h"
#include "os/linux/procfs.h"
#include "os/linux/unit.h"

enum { PROGRAM_MAX = 200, TEXT_SIZE = 128 };

/* ---- Pure ---- */

static const char *base_name(const char *program) {
  const char *slash = strrchr(program, '/');
  return slash ? slash + 1 : program;
}

static bool is_plain(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ':' || c == '_' || c == '.';
}

/* As unit_name_escape does it: the parts of such a name stand between dashes. Cut if it is long. */
void rsm__scope_name(const char *program, uint32_t pid, char to[RSM__SCOPE_NAME_SIZE]) {
  char name[PROGRAM_MAX + 5] = "";
  size_t length = 0;
  for (const char *at = base_name(program); *at && length + 4 <= PROGRAM_MAX; at++) {
    if (is_plain(*at) && (*at != '.' || length > 0))
      name[length++] = *at;
    else
      length += (size_t)snprintf(name + length, 5, "\\x%02x", (unsigned char)*at);
  }
  name[length] = '\0';
  snprintf(to, RSM__SCOPE_NAME_SIZE, "app-restartmanager-%s-%u.scope", length ? name : "program", (unsigned)pid);
}

/* Not the manager of root's logins for what runs elsewhere: that manager ends with the last login, and a daemon of the
 * system's that root had started by other means would end with it. */
rsm__scope_manager rsm__scope_choose(uint32_t uid, const char *cgroup) {
  bool is_systems = uid == 0 && !(cgroup && rsm__parse_user_slice(cgroup, 0));
  return is_systems ? RSM__SCOPE_SYSTEMS : RSM__SCOPE_USERS_THEN_SYSTEMS;
}

/* ---- The request, on a thread of its own ---- */

/* All that the thread reads and writes. */
typedef struct scope_job {
  rsm__scope_manager manager;
  bool in_users_slice;
  uint32_t pid, uid;
  char name[RSM__SCOPE_NAME_SIZE];
  char description[TEXT_SIZE];
  char slice[TEXT_SIZE];
  rsm_status status;
  rsm_error error;
} scope_job;

static void free_job(void *job) {
  rsm__free(job);
}

/* The user's slice while logind has it, so that the program is still counted with its user. */
static rsm_status choose_slice(rsm__bus *bus, scope_job *job) {
  const rsm__bus_method method = {.member = "GetUnit"};
  snprintf(job->slice, sizeof job->slice, "user-%u.slice", (unsigned)job->uid);
  rsm_status status = RSM_NO_SUCH_SERVICE;
  if (job->in_users_slice) status = rsm__bus_call(bus, &method, NULL, &job->error, "s", job->slice);
  if (status == RSM_OK || rsm__is_shortage(status) || status == RSM_TIMEOUT) return status;
  snprintf(job->slice, sizeof job->slice, "system.slice");
  return RSM_OK;
}

static rsm_status open_manager(scope_job *job, rsm__bus **ret_bus) {
  rsm_status status = RSM_NOT_FOUND;
  if (job->manager == RSM__SCOPE_USERS_THEN_SYSTEMS) status = rsm__bus_open(true, job->uid, NULL, ret_bus, &job->error);
  snprintf(job->slice, sizeof job->slice, "app.slice");
  if (status != RSM_NOT_FOUND || geteuid() != 0) return status;
  status = rsm__bus_open(false, 0, NULL, ret_bus, &job->error);
  return status == RSM_OK ? choose_slice(*ret_bus, job) : status;
}

/* A limit of the manager's is no want of ours. */
static bool manager_is_short(const rsm__bus *bus) {
  return rsm__bus_refused_with(bus, "org.freedesktop.DBus.Error.NoMemory") ||
         rsm__bus_refused_with(bus, "org.freedesktop.DBus.Error.LimitsExceeded");
}

static rsm_status request_scope(rsm__bus *bus, scope_job *job) {
  const rsm__bus_method method = {.member = "StartTransientUnit", .subject = job->name};
  uint32_t id;
  const char *result;
  /* Name and mode, four properties, no other units. */
  rsm_status status = rsm__bus_enqueue(bus, &method, &id, &job->error, "ssa(sv)a(sa(sv))", job->name, "fail", 4, "PIDs",
                                       "au", 1, job->pid, "Slice", "s", job->slice, "Description", "s",
                                       job->description, "CollectMode", "s", "inactive-or-failed", 0);
  if (rsm__is_shortage(status) && manager_is_short(bus)) status = RSM_GEN_FAILURE;
  if (status != RSM_OK) return status;
  status = rsm__bus_wait_job(bus, id, rsm__clock_ms() + RSM__SCOPE_LIMIT_MS, &result, &job->error);
  if (status != RSM_OK || strcmp(result, "done") == 0) return status;
  return rsm__fail(&job->error, RSM_GEN_FAILURE, job->name, "the service manager's job ended with '%s'", result);
}

static void work(rsm__bounded *bounded, void *argument) {
  scope_job *job = argument;
  RSM_CLEAN_BUS rsm__bus *bus = NULL;
  job->status = open_manager(job, &bus);
  /* Given up meanwhile: the process runs its program by now, and its pid will be somebody else's one day. */
  if (job->status == RSM_OK && rsm__bounded_touch(bounded, "its scope")) job->status = request_scope(bus, job);
  /* No libsystemd, no message bus: but systemd runs. */
  if (job->status == RSM_NOT_SUPPORTED) job->status = job->error.status = RSM_GEN_FAILURE;
}

/* ---- The caller's side ---- */

/* Does a manager here mean the same by a pid? Not where the folders of the host's are seen in a container with pids of
 * its own: there the first process is no systemd, which always puts itself into init.scope. Hidden from us: it is
 * nobody's container then. */
static rsm_status look_at_first_process(rsm__arena *arena, const char **ret_cgroup, rsm_error *reterr) {
  static const char own_group[] = "/init.scope";
  RSM_CLEAN_FD int dir = -1;
  *ret_cgroup = NULL;
  rsm_status status = rsm__procfs_open(1, &dir, reterr);
  if (status == RSM_OK) status = rsm__procfs_cgroup(dir, arena, ret_cgroup, reterr);
  if (rsm__is_shortage(status)) return status;
  if (status != RSM_OK || !*ret_cgroup) {
    *ret_cgroup = "";
    return RSM_OK;
  }
  size_t length = strlen(*ret_cgroup), tail = sizeof own_group - 1;
  if (length >= tail && strcmp(*ret_cgroup + length - tail, own_group) == 0) return RSM_OK;
  return rsm__fail(reterr, RSM_GEN_FAILURE, NULL, "the service manager does not share our process numbers");
}

/* Does the process' own group say so, too? What a user's manager says is that user's word. */
static rsm_status confirm(const scope_job *job, rsm__arena *arena, rsm_error *reterr) {
  RSM_CLEAN_FD int dir = -1;
  const char *cgroup = NULL;
  rsm_status status = rsm__procfs_open(job->pid, &dir, reterr);
  if (status == RSM_OK) status = rsm__procfs_cgroup(dir, arena, &cgroup, reterr);
  if (rsm__is_shortage(status)) return status;
  if (status != RSM_OK || !cgroup || strcmp(base_name(cgroup), job->name) == 0) return RSM_OK; /* hidden: believed */
  return rsm__fail(reterr, RSM_GEN_FAILURE, job->name, "the service manager did not move the process");
}

static void describe(const rsm__scope_request *request, const char *cgroup, scope_job *job) {
  *job = (scope_job){.manager = rsm__scope_choose(request->uid, cgroup),
                     .in_users_slice = cgroup && rsm__parse_user_slice(cgroup, request->uid),
                     .pid = request->pid,
                     .uid = request->uid};
  rsm__scope_name(request->program, request->pid, job->name);
  snprintf(job->description, sizeof job->description, "%.90s, started again", base_name(request->program));
  for (char *at = job->description; *at; at++) /* a message must be UTF-8 */
    if (*at < ' ' || *at > '~') *at = '?';
}

static rsm_status run(scope_job *job, rsm_error *reterr) {
  rsm__bounded *stuck = NULL;
  rsm_status status = rsm__bounded_run(work, free_job, job, RSM__SCOPE_LIMIT_MS, NULL, &stuck, reterr);
  if (status == RSM_TIMEOUT) {
    rsm__bounded_unref(stuck);
    return rsm__fail(reterr, RSM_TIMEOUT, NULL, "the service manager did not answer in time");
  }
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  if (status == RSM_OK) {
    status = job->status;
    if (status != RSM_OK && reterr) *reterr = job->error;
    if (status == RSM_OK) status = confirm(job, &arena, reterr);
  }
  rsm__free(job);
  return status;
}

rsm_status rsm__scope_start(const rsm__scope_request *request, rsm_error *reterr) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  const char *first;
  rsm_status status = rsm__bus_check_booted(reterr);
  if (status == RSM_OK) status = look_at_first_process(&arena, &first, reterr);
  if (status != RSM_OK) return status;
  scope_job *job = rsm__calloc(1, sizeof *job);
  if (!job) return rsm__fail_memory(reterr);
  describe(request, request->cgroup ? rsm__unit_path_below(request->cgroup, first) : NULL, job);
  return run(job, reterr);
}
