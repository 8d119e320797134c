/* ahead.c: see ahead.h. SPDX-License-Identifier: MIT
 *
 * call                | purpose                | blocks on
 * rsm__question_wait  | what the thread reads  | the lookup's limit, once a process
 * (facts.c and launch_capture.c have tables of what the thread blocks on) */
#include "os/linux/ahead.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "os/linux/fd.h"
#include "os/linux/process_handle.h"
#include "os/linux/unit.h"

/* One of the two that are read, with what came of it. */
typedef struct piece {
  rsm__arena arena;
  rsm_status status; /* RSM_PENDING: not read, or taken */
  rsm_error error;
} piece;

/* All that the thread reads and writes. */
typedef struct reading {
  int dir; /* /proc/PID; closed when it is read */
  uint32_t pid;
  piece facts_piece, capture_piece;
  rsm__process_facts facts;
  rsm__capture capture;
} reading;

struct rsm__ahead {
  rsm__lookup *lookup;
  rsm__task *task;
  rsm__question question;
  reading *reading;  /* the thread's until it was waited for; NULL: there is nothing to take */
  rsm_status status; /* of waiting; anything but RSM_OK is told to whoever asks */
  rsm_error error;
};

static void free_reading(void *argument) {
  reading *r = argument;
  rsm__fd_close(&r->dir);
  rsm__arena_done(&r->facts_piece.arena);
  rsm__arena_done(&r->capture_piece.arena);
  rsm__free(r);
}

static void work(rsm__bounded *job, void *argument) {
  reading *r = argument;
  piece *facts = &r->facts_piece, *capture = &r->capture_piece;
  const char *cgroup = NULL;
  facts->status = rsm__facts_read(r->dir, &facts->arena, &r->facts, &cgroup, &facts->error);
  rsm__bounded_tick(job);
  bool is_service = cgroup && rsm__parse_unit(cgroup).name; /* its manager starts it again */
  if (facts->status == RSM_OK && !r->facts.kernel_thread && !is_service)
    capture->status = rsm__capture_read(r->dir, r->pid, false, &capture->arena, &r->capture, &capture->error);
  rsm__fd_close(&r->dir); /* the handle may be kept for long */
}

rsm__ahead *rsm__ahead_begin(const rsm__process *process, rsm__lookup *lookup, rsm__task *task) {
  rsm__ahead *ahead = rsm__calloc(1, sizeof *ahead);
  reading *r = rsm__calloc(1, sizeof *r);
  if (!ahead || !r || rsm__process_open_proc(process, &r->dir, NULL) != RSM_OK) {
    rsm__free(ahead);
    rsm__free(r);
    return NULL;
  }
  r->pid = rsm__process_id(process)->pid;
  r->facts_piece.status = r->capture_piece.status = RSM_PENDING;
  *ahead = (rsm__ahead){.lookup = lookup, .task = task, .reading = r};
  if (rsm__question_begin(lookup, rsm__process_id(process), work, free_reading, r, &ahead->question, NULL) == RSM_OK)
    return ahead;
  rsm__free(ahead); /* r is gone already */
  return NULL;
}

rsm__ahead *rsm__ahead_free(rsm__ahead *ahead) {
  if (!ahead) return NULL;
  if (ahead->question.job)
    rsm__question_leave(&ahead->question);
  else if (ahead->reading)
    free_reading(ahead->reading);
  rsm__free(ahead);
  return NULL;
}

static bool take(piece *from, rsm__arena *arena, rsm_status *ret_status, rsm_error *reterr) {
  if (from->status == RSM_PENDING) return false;
  *ret_status = from->status;
  if (from->status != RSM_OK && reterr) *reterr = from->error;
  rsm__arena_move(arena, &from->arena);
  from->status = RSM_PENDING;
  return true;
}

/* *ret_reading: NULL if it did not come back, and *ret_status tells why. False: ask anew. */
static bool waited_for(rsm__ahead *ahead, reading **ret_reading, rsm_status *ret_status, rsm_error *reterr) {
  if (!ahead) return false;
  if (ahead->question.job) {
    ahead->status = rsm__question_wait(&ahead->question, ahead->lookup, ahead->task, &ahead->error);
    if (ahead->status != RSM_OK) ahead->reading = NULL;
  }
  *ret_reading = ahead->reading;
  *ret_status = ahead->status;
  if (ahead->status != RSM_OK && reterr) *reterr = ahead->error;
  return ahead->status != RSM_OK || ahead->reading;
}

bool rsm__ahead_take_facts(const rsm__process *process, rsm__arena *arena, rsm__process_facts *ret_facts,
                           rsm_status *ret_status, rsm_error *reterr) {
  reading *r;
  if (!waited_for(rsm__process_ahead(process), &r, ret_status, reterr)) return false;
  if (r) *ret_facts = r->facts;
  return !r || take(&r->facts_piece, arena, ret_status, reterr);
}

bool rsm__ahead_take_capture(const rsm__process *process, rsm__arena *arena, rsm__capture *ret_capture,
                             rsm_status *ret_status, rsm_error *reterr) {
  reading *r;
  if (!waited_for(rsm__process_ahead(process), &r, ret_status, reterr)) return false;
  if (!r) return true;
  *ret_capture = r->capture;
  bool taken = take(&r->capture_piece, arena, ret_status, reterr);
  free_reading(r); /* nobody asks for the rest after this */
  rsm__process_ahead(process)->reading = NULL;
  return taken;
}
