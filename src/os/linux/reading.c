/* reading.c: see reading.h. SPDX-License-Identifier: MIT
 *
 * call               | purpose               | blocks on
 * rsm__question_wait | what was read ahead   | the lookup's limit, once a process
 * rsm__process_read  | what is read now      | the same
 * (facts.c and launch_capture.c have tables of what the thread blocks on) */
#include "os/linux/reading.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "os/linux/fd.h"
#include "os/linux/process_handle.h"
#include "os/linux/unit.h"

enum { FACTS = 1, CAPTURE = 2, ENVIRONMENT = 4 };

/* What came of reading one of the two. */
typedef struct piece {
  rsm__arena arena;
  rsm_status status; /* RSM_PENDING: not read, or taken */
  rsm_error error;
} piece;

/* All that the thread reads and writes. */
typedef struct reading {
  int dir; /* /proc/PID; closed when it is read */
  uint32_t pid;
  unsigned wanted;
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

/* ---- In the thread ---- */

static void free_reading(void *argument) {
  reading *r = argument;
  rsm__fd_close(&r->dir);
  rsm__arena_done(&r->facts_piece.arena);
  rsm__arena_done(&r->capture_piece.arena);
  rsm__free(r);
}

/* Is the capture worth it, after what the facts told? A service is started again by its manager. */
static bool may_be_started(const reading *r, const char *cgroup) {
  if (!(r->wanted & FACTS)) return true;
  return r->facts_piece.status == RSM_OK && !r->facts.kernel_thread && !(cgroup && rsm__parse_unit(cgroup).name);
}

static void work(rsm__bounded *job, void *argument) {
  reading *r = argument;
  piece *facts = &r->facts_piece, *capture = &r->capture_piece;
  const char *cgroup = NULL;
  if (r->wanted & FACTS) facts->status = rsm__facts_read(r->dir, &facts->arena, &r->facts, &cgroup, &facts->error);
  if (job) rsm__bounded_tick(job);
  if ((r->wanted & CAPTURE) && may_be_started(r, cgroup))
    capture->status = rsm__capture_read(r->dir, r->pid, (r->wanted & ENVIRONMENT) != 0, &capture->arena, &r->capture,
                                        &capture->error);
  rsm__fd_close(&r->dir); /* the handle may be kept for long */
}

static rsm_status new_reading(const rsm__process *process, unsigned wanted, reading **ret_reading, rsm_error *reterr) {
  reading *r = rsm__calloc(1, sizeof *r);
  if (!r) return rsm__fail_memory(reterr);
  *r = (reading){.dir = -1, .pid = rsm__process_id(process)->pid, .wanted = wanted};
  r->facts_piece.status = r->capture_piece.status = RSM_PENDING;
  rsm_status status = rsm__process_open_proc(process, &r->dir, reterr);
  if (status == RSM_OK)
    *ret_reading = r;
  else
    free_reading(r);
  return status;
}

/* ---- Ahead ---- */

rsm__ahead *rsm__ahead_begin(const rsm__process *process, rsm__lookup *lookup, rsm__task *task) {
  rsm__ahead *ahead = rsm__calloc(1, sizeof *ahead);
  reading *r = NULL;
  if (ahead && new_reading(process, FACTS | CAPTURE, &r, NULL) == RSM_OK) {
    *ahead = (rsm__ahead){.lookup = lookup, .task = task, .reading = r};
    if (rsm__question_begin(lookup, rsm__process_id(process), work, free_reading, r, &ahead->question, NULL) == RSM_OK)
      return ahead;
  }
  rsm__free(ahead);
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

/* Waits for it, if it is still under way. */
static rsm_status wait_for(rsm__ahead *ahead, rsm_error *reterr) {
  if (ahead->question.job) {
    ahead->status = rsm__question_wait(&ahead->question, ahead->lookup, ahead->task, &ahead->error);
    if (ahead->status != RSM_OK) ahead->reading = NULL;
  }
  if (ahead->status != RSM_OK && reterr) *reterr = ahead->error;
  return ahead->status;
}

/* ---- One piece ---- */

static rsm_status take(piece *from, rsm__arena *arena, rsm_error *reterr) {
  rsm_status status = from->status;
  if (status != RSM_OK && reterr) *reterr = from->error;
  rsm__arena_move(arena, &from->arena);
  from->status = RSM_PENDING;
  return status;
}

/* *ret_reading is the caller's. */
static rsm_status read_now(const rsm__process *process, unsigned wanted, reading **ret_reading, rsm_error *reterr) {
  reading *r = NULL;
  rsm_status status = new_reading(process, wanted, &r, reterr);
  if (status == RSM_OK) status = rsm__process_read(process, work, free_reading, r, reterr);
  if (status == RSM_OK) *ret_reading = r;
  return status;
}

rsm_status rsm__reading_facts(const rsm__process *process, rsm__arena *arena, rsm__process_facts *ret_facts,
                              rsm_error *reterr) {
  rsm__ahead *ahead = rsm__process_ahead(process);
  rsm_status status = ahead ? wait_for(ahead, reterr) : RSM_OK;
  if (status != RSM_OK) return status;
  reading *r = ahead ? ahead->reading : NULL;
  if (r && r->facts_piece.status != RSM_PENDING) {
    *ret_facts = r->facts;
    return take(&r->facts_piece, arena, reterr);
  }
  status = read_now(process, FACTS, &r, reterr);
  if (status != RSM_OK) return status;
  *ret_facts = r->facts;
  status = take(&r->facts_piece, arena, reterr);
  free_reading(r);
  return status;
}

rsm_status rsm__reading_capture(const rsm__process *process, bool with_environment, rsm__arena *arena,
                                rsm__capture *ret_capture, rsm_error *reterr) {
  rsm__ahead *ahead = with_environment ? NULL : rsm__process_ahead(process);
  rsm_status status = ahead ? wait_for(ahead, reterr) : RSM_OK;
  if (status != RSM_OK) return status;
  reading *r = ahead ? ahead->reading : NULL;
  if (ahead) ahead->reading = NULL; /* nobody asks for its rest after this */
  if (r && r->capture_piece.status == RSM_PENDING) {
    free_reading(r);
    r = NULL;
  }
  if (!r) status = read_now(process, with_environment ? CAPTURE | ENVIRONMENT : CAPTURE, &r, reterr);
  if (status != RSM_OK) return status;
  *ret_capture = r->capture;
  status = take(&r->capture_piece, arena, reterr);
  free_reading(r);
  return status;
}
