/* lookup.c: see os/files.h and lookup.h. SPDX-License-Identifier: MIT
 *
 * call             | purpose                         | blocks on
 * rsm__bounded_run | everything that touches a mount | the lookup's limit, once a mount
 */
#include "os/common/lookup.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"

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

static void forget_mount(rsm__lookup *lookup, size_t i) {
  rsm__free(lookup->dead[i].point);
  rsm__bounded_unref(lookup->dead[i].job);
  lookup->dead[i] = lookup->dead[--lookup->count];
}

void rsm__lookup_forget(rsm__lookup *lookup, size_t stall) {
  rsm__bounded_unref(lookup->stalls[stall].job);
  lookup->stalls[stall] = lookup->stalls[--lookup->stall_count];
}

rsm__lookup *rsm__lookup_free(rsm__lookup *lookup) {
  if (!lookup) return NULL;
  while (lookup->count > 0) forget_mount(lookup, lookup->count - 1);
  while (lookup->stall_count > 0) rsm__lookup_forget(lookup, lookup->stall_count - 1);
  rsm__free(lookup->dead);
  rsm__free(lookup->stalls);
  for (size_t i = 0; i < RSM_COUNT(lookup->askers); i++) rsm__bounded_worker_free(lookup->askers[i].worker);
  rsm__free(lookup->more);
  rsm__free(lookup);
  return NULL;
}

void rsm__lookup_refresh(rsm__lookup *lookup) {
  lookup->given_up = 0;
  for (size_t i = lookup->stall_count; i-- > 0;)
    if (rsm__bounded_returned(lookup->stalls[i].job)) rsm__lookup_forget(lookup, i);
  for (size_t i = lookup->count; i-- > 0;)
    if (rsm__bounded_returned(lookup->dead[i].job)) forget_mount(lookup, i);
}

/* ---- What hangs ---- */

rsm_status rsm__lookup_remember_mount(rsm__lookup *lookup, rsm__bounded *stuck, rsm_error *reterr) {
  char *point = NULL;
  rsm_status status = rsm__mount_point(rsm__bounded_stuck_at(stuck), &point, reterr);
  if (status == RSM_OK && rsm__grow(&lookup->dead, &lookup->capacity, lookup->count + 1, sizeof *lookup->dead) < 0)
    status = rsm__fail_memory(reterr);
  if (status != RSM_OK) {
    rsm__free(point);
    rsm__bounded_unref(stuck);
    return status;
  }
  lookup->dead[lookup->count++] = (rsm__dead_mount){.point = point, .job = stuck};
  return RSM_OK;
}

rsm_status rsm__lookup_remember(rsm__lookup *lookup, const rsm_process *process, uint64_t at, rsm__bounded *stuck,
                                rsm_error *reterr) {
  if (rsm__grow(&lookup->stalls, &lookup->stall_capacity, lookup->stall_count + 1, sizeof *lookup->stalls) < 0) {
    rsm__bounded_unref(stuck);
    return rsm__fail_memory(reterr);
  }
  lookup->stalls[lookup->stall_count++] = (rsm__stall){.process = *process, .at = at, .job = stuck};
  return RSM_OK;
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
    if (rsm__mount_covers(dead->points[i], path)) return true;
  return false;
}

rsm_status rsm__lookup_try(rsm__lookup *lookup, rsm__bounded_work *work, rsm__bounded_free *free_argument,
                           void *argument, rsm__task *task, rsm__bounded **ret_stuck, rsm_error *reterr) {
  rsm_status status = rsm__bounded_run(work, free_argument, argument, lookup->limit_ms, task, ret_stuck, reterr);
  if (status != RSM_OK && status != RSM_CANCELLED && status != RSM_TIMEOUT) free_argument(argument);
  return status;
}

rsm_status rsm__lookup_wait(rsm__lookup *lookup, rsm__bounded *job, rsm__task *task, rsm_error *reterr) {
  rsm__bounded *stuck = NULL;
  rsm_status status = rsm__bounded_wait(job, lookup->limit_ms, task, &stuck, reterr);
  if (status != RSM_TIMEOUT || !stuck) return status;
  status = rsm__lookup_remember_mount(lookup, stuck, reterr);
  return status == RSM_OK ? RSM_TIMEOUT : status;
}

rsm_status rsm__lookup_run(rsm__lookup *lookup, rsm__bounded_work *work, rsm__bounded_free *free_argument,
                           void *argument, rsm__task *task, rsm_error *reterr) {
  rsm__bounded *job = NULL;
  rsm_status status = rsm__bounded_begin(work, free_argument, argument, &job, reterr);
  if (status == RSM_OK) return rsm__lookup_wait(lookup, job, task, reterr);
  free_argument(argument);
  return status;
}
