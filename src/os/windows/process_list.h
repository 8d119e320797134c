/* process_list.h: every process and every open handle, as the kernel lists them.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_PROCESS_LIST_H
#define RSM_OS_WINDOWS_PROCESS_LIST_H

#include "base/arena.h"
#include "rsm.h"

typedef struct rsm__listed_process {
  rsm_process id;
  uint32_t parent;     /* who had that number when it started; by now it may be another's: rsm__process_list_parent */
  uint32_t session;    /* the terminal services session */
  const char *name;    /* of its program file, without the folder; never NULL */
  bool kernel;         /* no program of its own: Idle, System and what lives in them */
  size_t first_handle; /* its handles in the list, once rsm__handle_list_read has filled it */
  size_t handle_count;
} rsm__listed_process;

/* Zero-initialise. */
typedef struct rsm__process_list {
  rsm__listed_process *items; /* by ascending pid; those that have ended are not in it */
  size_t count;
  size_t capacity;
  rsm__arena arena;
} rsm__process_list;

rsm_status rsm__process_list_read(rsm__process_list *list, rsm_error *reterr);
void rsm__process_list_done(rsm__process_list *list);
/* NULL: it is not there. */
const rsm__listed_process *rsm__process_list_find(const rsm__process_list *list, uint32_t pid);
/* Its parent, if that still runs: whoever has the parent's number and is younger than the child got that number later.
 * NULL: has ended, or there was none. */
const rsm__listed_process *rsm__process_list_parent(const rsm__process_list *list, const rsm__listed_process *child);

typedef struct rsm__listed_handle {
  uint32_t pid;
  uint32_t value;
  uint32_t access;
  bool section; /* a mapping object; else a file */
} rsm__listed_handle;

enum { RSM__ASK_SECTION = 0x0005 /* SECTION_QUERY | SECTION_MAP_READ: what we ask sections with */ };

/* Zero-initialise. Only files and sections, and not those of whoever only looks (file_id.h): that may be another
 * listing, of our own process or of another. */
typedef struct rsm__handle_list {
  rsm__listed_handle *items; /* by process */
  size_t count;
} rsm__handle_list;

/* Tells each listed process which handles are its own. */
rsm_status rsm__handle_list_read(rsm__handle_list *handles, rsm__process_list *processes, rsm_error *reterr);
void rsm__handle_list_done(rsm__handle_list *handles);

#endif
