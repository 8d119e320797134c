/* places.c: what many paths lead to now (lookup.h), in threads that can be given up.
 * SPDX-License-Identifier: MIT
 *
 * call              | purpose                  | blocks on
 * rsm__lookup_wait  | the threads that follow  | the lookup's limit, once a mount and thread */
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/common/lookup.h"

enum { MOST_THREADS = 2 };

/* All that one thread reads and writes: it may outlive whoever asked. */
typedef struct place_job {
  rsm__arena arena;
  rsm__paths paths;
  rsm__place *places;
  rsm__dead_mounts dead;
  bool failed;
} place_job;

static void free_place_job(void *argument) {
  place_job *job = argument;
  rsm__arena_done(&job->arena);
  rsm__free(job);
}

static place_job *new_place_job(const rsm__paths *asked) {
  place_job *job = rsm__calloc(1, sizeof *job);
  if (!job) return NULL;
  const char **copies = rsm__arena_alloc(&job->arena, asked->count * sizeof *copies);
  bool whole = copies != NULL;
  for (size_t i = 0; i < asked->count && whole; i++) {
    copies[i] = rsm__arena_strdup(&job->arena, asked->items[i]);
    whole = copies[i] != NULL;
  }
  job->paths = (rsm__paths){copies, asked->count, asked->names_only};
  if (whole) return job;
  free_place_job(job);
  return NULL;
}

static void follow_places(rsm__bounded *bounded, void *argument) {
  place_job *job = argument;
  job->failed = !rsm__places_follow(bounded, &job->dead, &job->paths, &job->arena, &job->places);
}

/* One thread under way, with its part of the paths. */
typedef struct part {
  place_job *job; /* NULL: it is the thread's for good */
  rsm__bounded *thread;
} part;

static rsm_status begin_part(rsm__lookup *lookup, const rsm__paths *asked, part *out, rsm_error *reterr) {
  place_job *job = new_place_job(asked);
  if (!job) return rsm__fail_memory(reterr);
  rsm_status status = rsm__lookup_dead(lookup, &job->arena, &job->dead, reterr);
  if (status == RSM_OK) status = rsm__bounded_begin(follow_places, free_place_job, job, &out->thread, reterr);
  if (status == RSM_OK)
    out->job = job;
  else
    free_place_job(job);
  return status;
}

static rsm_status end_part(rsm__lookup *lookup, part *p, rsm__task *task, rsm_error *reterr) {
  rsm_status status = rsm__lookup_wait(lookup, p->thread, task, reterr);
  p->thread = NULL;
  if (status != RSM_OK)
    p->job = NULL;
  else if (p->job->failed)
    status = rsm__fail_memory(reterr);
  return status;
}

/* As many threads as are worth it, each for a stretch of the paths. On failure those begun are still to be ended. */
static rsm_status begin_parts(rsm__lookup *lookup, const rsm__paths *asked, part *parts, rsm_error *reterr) {
  const size_t count = asked->count;
  const size_t threads = rsm__places_threads(count);
  rsm_status status = RSM_OK;
  for (size_t i = 0; i < threads && status == RSM_OK; i++) {
    size_t from = count * i / threads, to = count * (i + 1) / threads;
    const rsm__paths stretch = {asked->items + from, to - from, asked->names_only};
    status = begin_part(lookup, &stretch, &parts[i], reterr);
  }
  return status;
}

/* Waits for all, whatever becomes of one. The first failure counts; a mount that hung is no failure, but needs another
 * attempt. */
static rsm_status end_parts(rsm__lookup *lookup, part *parts, rsm_status status, rsm__task *task, rsm_error *reterr) {
  for (size_t i = 0; i < MOST_THREADS; i++) {
    if (!parts[i].thread) continue;
    bool first = status == RSM_OK || status == RSM_TIMEOUT;
    rsm_status ended = end_part(lookup, &parts[i], task, first ? reterr : NULL);
    if (first && ended != RSM_OK) status = ended;
  }
  return status;
}

static void free_parts(part *parts) {
  for (size_t i = 0; i < MOST_THREADS; i++)
    if (parts[i].job) free_place_job(parts[i].job);
}

/* One part's places are left where they are. False: out of memory. */
static bool join_parts(part *parts, size_t count, rsm__places *ret_places) {
  place_job *first = parts[0].job;
  if (!first) return false; /* never: all have ended well */
  rsm__places all = {.count = count, .arena = first->arena};
  first->arena = (rsm__arena){0};
  all.items = parts[1].job ? rsm__arena_alloc(&all.arena, count * rsm__place_size) : first->places;
  if (!all.items) {
    rsm__places_done(&all);
    return false;
  }
  char *to = (char *)all.items;
  for (size_t i = 0; parts[1].job && i < MOST_THREADS; i++) {
    size_t size = parts[i].job->paths.count * rsm__place_size;
    memcpy(to, parts[i].job->places, size);
    to += size;
    rsm__arena_move(&all.arena, &parts[i].job->arena);
  }
  *ret_places = all;
  return true;
}

/* RSM_TIMEOUT: another attempt is due, without the mounts that hung. */
static rsm_status try_places(rsm__lookup *lookup, const rsm__paths *asked, rsm__task *task, rsm__places *ret_places,
                             rsm_error *reterr) {
  part parts[MOST_THREADS] = {0};
  rsm_status status = begin_parts(lookup, asked, parts, reterr);
  status = end_parts(lookup, parts, status, task, reterr);
  if (status == RSM_OK && !join_parts(parts, asked->count, ret_places)) status = rsm__fail_memory(reterr);
  free_parts(parts);
  return status;
}

static rsm_status find_places(rsm__lookup *lookup, const rsm__paths *asked, rsm__task *task, rsm__places *ret_places,
                              rsm_error *reterr) {
  rsm_status status = RSM_TIMEOUT;
  rsm__lookup_refresh(lookup);
  while (status == RSM_TIMEOUT) status = try_places(lookup, asked, task, ret_places, reterr);
  return status;
}

rsm_status rsm__lookup_places(rsm__lookup *lookup, const char *const *paths, size_t count, rsm__task *task,
                              rsm__places *ret_places, rsm_error *reterr) {
  return find_places(lookup, &(rsm__paths){.items = paths, .count = count}, task, ret_places, reterr);
}

void rsm__places_done(rsm__places *places) {
  rsm__arena_done(&places->arena);
  *places = (rsm__places){0};
}

rsm_status rsm__lookup_real(rsm__lookup *lookup, const char *const *paths, size_t count, rsm__arena *arena,
                            const char **ret_reals, rsm_error *reterr) {
  const rsm__paths asked = {.items = paths, .count = count, .names_only = true};
  RSM_CLEAN(rsm__places_done) rsm__places places = {0};
  rsm_status status = find_places(lookup, &asked, NULL, &places, reterr);
  if (status != RSM_OK) return status;
  RSM_CLEAN_FREE const char **reals = rsm__calloc(count, sizeof *reals); /* ret_reals is untouched on failure */
  if (!reals) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < places.count; i++) {
    const char *real = rsm__place_real(places.items, i);
    reals[i] = real && strcmp(real, paths[i]) == 0 ? paths[i] : rsm__arena_strdup(arena, real);
    if (!reals[i] && real) return rsm__fail_memory(reterr);
  }
  if (count > 0) memcpy(ret_reals, reals, count * sizeof *reals);
  return RSM_OK;
}
