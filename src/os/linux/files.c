/* files.c: see os/files.h and lookup.h. SPDX-License-Identifier: MIT
 *
 * call              | purpose                                 | blocks on
 * getcwd            | the base of a relative path             | nothing (the kernel's own names)
 * rsm__bounded_run  | everything that touches a mount         | the lookup's limit, once a mount
 *                   | or asks a process                       | and once a process
 */
#define _GNU_SOURCE
#include "os/files.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/linux/lookup.h"
#include "os/linux/mounts.h"
#include "os/linux/os_error.h"

/* ---- Absolute text ---- */

enum { LONGEST_DIRECTORY = 1024 * 1024, MOST_GIVEN_UP = 4 };

static rsm_status put_working_directory(rsm__buffer *text, rsm_error *reterr) {
  for (size_t size = 4096; size <= LONGEST_DIRECTORY; size *= 2) {
    RSM_CLEAN_FREE char *room = rsm__malloc(size);
    if (!room) return rsm__fail_memory(reterr);
    if (getcwd(room, size)) {
      if (room[0] != '/') break; /* "(unreachable)/...": outside of our root */
      rsm__buffer_put(text, room, strlen(room));
      return RSM_OK;
    }
    if (errno != ERANGE) return rsm__fail_errno(reterr, errno, "getcwd", NULL);
  }
  return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "the working directory has no usable name: give a whole path");
}

/* Appends path's components, each behind one slash. */
static void put_components(rsm__buffer *text, const char *path) {
  for (const char *at = path; *at;) {
    at += strspn(at, "/");
    size_t length = strcspn(at, "/");
    if (length > 0 && !(length == 1 && *at == '.')) {
      rsm__buffer_put_u8(text, '/');
      rsm__buffer_put(text, at, length);
    }
    at += length;
  }
}

rsm_status rsm__files_absolute(const char *path, char **ret_path, rsm_error *reterr) {
  if (!path || path[0] == '\0') return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "the path is empty");
  RSM_CLEAN_BUFFER rsm__buffer text = {0};
  if (path[0] != '/') {
    RSM_CLEAN_BUFFER rsm__buffer base = {0};
    rsm_status status = put_working_directory(&base, reterr);
    if (status != RSM_OK) return status;
    rsm__buffer_put_u8(&base, '\0');
    if (base.failed) return rsm__fail_memory(reterr);
    put_components(&text, (const char *)base.data);
  }
  put_components(&text, path);
  if (text.length == 0) rsm__buffer_put_u8(&text, '/');
  rsm__buffer_put_u8(&text, '\0');
  if (text.failed) return rsm__fail_memory(reterr);
  *ret_path = (char *)text.data; /* from rsm__realloc: the caller's rsm__free fits */
  text = (rsm__buffer){0};
  return RSM_OK;
}

/* ---- Mounts and processes that did not answer ---- */

typedef struct dead_mount {
  char *point;
  rsm__bounded *job; /* the thread that hangs there: while it does, nobody else is sent */
} dead_mount;

/* A process at which a thread hangs: a page fault of its own, or a file system behind its descriptors. */
typedef struct stalled_process {
  rsm_process process;
  bool at_uses; /* as in rsm__lookup_remember_process */
  rsm__bounded *job;
} stalled_process;

struct rsm__lookup {
  uint32_t limit_ms;
  bool without_bpf;
  dead_mount *dead;
  size_t count;
  size_t capacity;
  stalled_process *stalled;
  size_t stalled_count;
  size_t stalled_capacity;
  rsm__bounded_worker *asker; /* for rsm__lookup_ask */
  unsigned given_up;          /* threads of rsm__lookup_ask since the last refresh */
};

rsm_status rsm__lookup_new(uint32_t limit_ms, rsm__lookup **ret_lookup, rsm_error *reterr) {
  rsm__lookup *lookup = rsm__calloc(1, sizeof *lookup);
  if (!lookup) return rsm__fail_memory(reterr);
  lookup->limit_ms = limit_ms > 0 ? limit_ms : 1;
  *ret_lookup = lookup;
  return RSM_OK;
}

void rsm__lookup_without_bpf(rsm__lookup *lookup) {
  lookup->without_bpf = true;
}

bool rsm__lookup_is_without_bpf(const rsm__lookup *lookup) {
  return lookup->without_bpf;
}

static void forget(rsm__lookup *lookup, size_t i) {
  rsm__free(lookup->dead[i].point);
  rsm__bounded_unref(lookup->dead[i].job);
  lookup->dead[i] = lookup->dead[--lookup->count];
}

static void forget_process(rsm__lookup *lookup, size_t i) {
  rsm__bounded_unref(lookup->stalled[i].job);
  lookup->stalled[i] = lookup->stalled[--lookup->stalled_count];
}

rsm__lookup *rsm__lookup_free(rsm__lookup *lookup) {
  if (!lookup) return NULL;
  while (lookup->count > 0) forget(lookup, lookup->count - 1);
  rsm__free(lookup->dead);
  while (lookup->stalled_count > 0) forget_process(lookup, lookup->stalled_count - 1);
  rsm__free(lookup->stalled);
  rsm__bounded_worker_free(lookup->asker);
  rsm__free(lookup);
  return NULL;
}

rsm_status rsm__lookup_remember_mount(rsm__lookup *lookup, rsm__bounded *job, rsm_error *reterr) {
  RSM_CLEAN(rsm__mounts_done) rsm__mounts mounts = {0};
  rsm_status status = rsm__mounts_read(&mounts, reterr);
  const rsm__mount *mount = rsm__mounts_over(&mounts, rsm__bounded_stuck_at(job));
  char *point = status == RSM_OK ? rsm__strdup(mount ? mount->point : "/") : NULL;
  if (status == RSM_OK &&
      (!point || rsm__grow(&lookup->dead, &lookup->capacity, lookup->count + 1, sizeof *lookup->dead) < 0))
    status = rsm__fail_memory(reterr);
  if (status != RSM_OK) {
    rsm__free(point);
    rsm__bounded_unref(job);
    return status;
  }
  lookup->dead[lookup->count++] = (dead_mount){.point = point, .job = job};
  return RSM_OK;
}

rsm_status rsm__lookup_remember_process(rsm__lookup *lookup, const rsm_process *process, bool at_uses,
                                        rsm__bounded *job, rsm_error *reterr) {
  if (rsm__grow(&lookup->stalled, &lookup->stalled_capacity, lookup->stalled_count + 1, sizeof *lookup->stalled) < 0) {
    rsm__bounded_unref(job);
    return rsm__fail_memory(reterr);
  }
  lookup->stalled[lookup->stalled_count++] = (stalled_process){.process = *process, .at_uses = at_uses, .job = job};
  return RSM_OK;
}

bool rsm__lookup_stalled_at(const rsm__lookup *lookup, size_t i, rsm_process *ret_process) {
  for (size_t at = 0; at < lookup->stalled_count; at++) {
    if (!lookup->stalled[at].at_uses || i-- > 0) continue;
    *ret_process = lookup->stalled[at].process;
    return true;
  }
  return false;
}

/* Does a thread of ours still hang there? Nobody else is sent then. */
static bool is_stalled(rsm__lookup *lookup, const rsm_process *process) {
  bool stalled = false;
  for (size_t i = lookup->stalled_count; i-- > 0;) {
    if (!rsm_process_equal(&lookup->stalled[i].process, process)) continue;
    if (rsm__bounded_returned(lookup->stalled[i].job))
      forget_process(lookup, i);
    else
      stalled = true;
  }
  return stalled;
}

void rsm__lookup_refresh(rsm__lookup *lookup) {
  lookup->given_up = 0;
  for (size_t i = lookup->stalled_count; i-- > 0;)
    if (rsm__bounded_returned(lookup->stalled[i].job)) forget_process(lookup, i);
  for (size_t i = lookup->count; i-- > 0;)
    if (rsm__bounded_returned(lookup->dead[i].job)) forget(lookup, i);
}

rsm_status rsm__lookup_dead(rsm__lookup *lookup, rsm__arena *arena, rsm__dead_mounts *ret_dead, rsm_error *reterr) {
  rsm__dead_mounts dead = {.points = rsm__arena_alloc(arena, lookup->count * sizeof(char *))};
  if (!dead.points) return rsm__fail_memory(reterr);
  for (; dead.count < lookup->count; dead.count++) {
    dead.points[dead.count] = rsm__arena_strdup(arena, lookup->dead[dead.count].point);
    if (!dead.points[dead.count]) return rsm__fail_memory(reterr);
  }
  *ret_dead = dead;
  return RSM_OK;
}

bool rsm__dead_covers(const rsm__dead_mounts *dead, const char *path) {
  for (size_t i = 0; i < dead->count; i++)
    if (rsm__path_within(path, dead->points[i])) return true;
  return false;
}

rsm_status rsm__lookup_try(rsm__lookup *lookup, rsm__bounded_work *work, rsm__bounded_free *free_argument,
                           void *argument, rsm__task *task, rsm__bounded **ret_stuck, rsm_error *reterr) {
  rsm_status status = rsm__bounded_run(work, free_argument, argument, lookup->limit_ms, task, ret_stuck, reterr);
  if (status != RSM_OK && status != RSM_CANCELLED && status != RSM_TIMEOUT) free_argument(argument);
  return status;
}

rsm_status rsm__lookup_run(rsm__lookup *lookup, rsm__bounded_work *work, rsm__bounded_free *free_argument,
                           void *argument, rsm__task *task, rsm_error *reterr) {
  rsm__bounded *stuck = NULL;
  rsm_status status = rsm__lookup_try(lookup, work, free_argument, argument, task, &stuck, reterr);
  if (status != RSM_TIMEOUT || !stuck) return status;
  status = rsm__lookup_remember_mount(lookup, stuck, reterr);
  return status == RSM_OK ? RSM_TIMEOUT : status;
}

rsm_status rsm__lookup_ask(rsm__lookup *lookup, const rsm_process *process, rsm__bounded_work *work,
                           rsm__bounded_free *free_argument, void *argument, rsm__task *task, rsm_error *reterr) {
  rsm__bounded *stuck = NULL;
  if (lookup->given_up >= MOST_GIVEN_UP || is_stalled(lookup, process)) {
    free_argument(argument);
    return RSM_TIMEOUT;
  }
  rsm_status status =
      rsm__bounded_run_by(&lookup->asker, work, free_argument, argument, lookup->limit_ms, task, &stuck, reterr);
  if (status != RSM_OK && status != RSM_CANCELLED && status != RSM_TIMEOUT) free_argument(argument);
  if (status != RSM_TIMEOUT || !stuck) return status;
  lookup->given_up++;
  status = rsm__lookup_remember_process(lookup, process, false, stuck, reterr);
  return status == RSM_OK ? RSM_TIMEOUT : status;
}

/* ---- Places ---- */

/* All that the thread reads and writes: it may outlive whoever asked. */
typedef struct place_job {
  rsm__arena arena;
  const char **paths;
  rsm__place *places;
  size_t count;
  rsm__dead_mounts dead;
  bool failed;
} place_job;

static void free_place_job(void *argument) {
  place_job *job = argument;
  rsm__arena_done(&job->arena);
  rsm__free(job);
}

static place_job *new_place_job(const char *const *paths, size_t count) {
  place_job *job = rsm__calloc(1, sizeof *job);
  if (!job) return NULL;
  job->count = count;
  job->paths = rsm__arena_alloc(&job->arena, count * sizeof *job->paths);
  job->places = rsm__arena_alloc(&job->arena, count * sizeof *job->places);
  bool whole = job->paths && job->places;
  for (size_t i = 0; i < count && whole; i++) {
    job->paths[i] = rsm__arena_strdup(&job->arena, paths[i]);
    whole = job->paths[i] != NULL;
  }
  if (whole) return job;
  free_place_job(job);
  return NULL;
}

static void resolve_places(rsm__bounded *bounded, void *argument) {
  place_job *job = argument;
  job->failed = !rsm__resolve(bounded, &job->dead, job->paths, job->count, &job->arena, job->places);
}

/* One thread's attempt. RSM_TIMEOUT: another is due, without the mount that hung. */
static rsm_status try_places(rsm__lookup *lookup, const char *const *paths, size_t count, rsm__task *task,
                             rsm__places *ret_places, rsm_error *reterr) {
  place_job *job = new_place_job(paths, count);
  if (!job) return rsm__fail_memory(reterr);
  rsm_status status = rsm__lookup_dead(lookup, &job->arena, &job->dead, reterr);
  if (status != RSM_OK) {
    free_place_job(job);
    return status;
  }
  status = rsm__lookup_run(lookup, resolve_places, free_place_job, job, task, reterr);
  if (status != RSM_OK) return status;
  if (job->failed) {
    free_place_job(job);
    return rsm__fail_memory(reterr);
  }
  *ret_places = (rsm__places){.items = job->places, .count = count, .arena = job->arena};
  job->arena = (rsm__arena){0};
  free_place_job(job);
  return RSM_OK;
}

rsm_status rsm__lookup_places(rsm__lookup *lookup, const char *const *paths, size_t count, rsm__task *task,
                              rsm__places *ret_places, rsm_error *reterr) {
  rsm_status status = RSM_TIMEOUT;
  rsm__lookup_refresh(lookup);
  while (status == RSM_TIMEOUT) status = try_places(lookup, paths, count, task, ret_places, reterr);
  return status;
}

void rsm__places_done(rsm__places *places) {
  rsm__arena_done(&places->arena);
  *places = (rsm__places){0};
}

rsm_status rsm__lookup_real(rsm__lookup *lookup, const char *const *paths, size_t count, rsm__arena *arena,
                            const char **ret_reals, rsm_error *reterr) {
  RSM_CLEAN(rsm__places_done) rsm__places places = {0};
  rsm_status status = rsm__lookup_places(lookup, paths, count, NULL, &places, reterr);
  if (status != RSM_OK) return status;
  RSM_CLEAN_FREE const char **reals = rsm__calloc(count, sizeof *reals); /* ret_reals is untouched on failure */
  if (!reals) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < places.count; i++) {
    reals[i] = rsm__arena_strdup(arena, places.items[i].real);
    if (!reals[i] && places.items[i].real) return rsm__fail_memory(reterr);
  }
  if (count > 0) memcpy(ret_reals, reals, count * sizeof *reals);
  return RSM_OK;
}
