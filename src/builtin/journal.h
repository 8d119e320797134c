/* journal.h: what a session stops, with everything needed to start it again, and what became of it. Written before the
 * first signal is sent; whoever adopts the session reads it back.
 *
 * It outlives a crash of the installer, not of the system: records are not synced, since after another boot nothing
 * that it tells of is true any more. SPDX-License-Identifier: MIT */
#ifndef RSM_BUILTIN_JOURNAL_H
#define RSM_BUILTIN_JOURNAL_H

#include "builtin/store.h"
#include "core/list.h"
#include "core/plan.h"
#include "os/service.h"
#include "os/task.h"

typedef enum rsm__fate {
  RSM__FATE_PLANNED, /* nothing has been done to it */
  RSM__FATE_ASKED,
  RSM__FATE_STOPPED, /* ended after the first application of its round had been asked */
  RSM__FATE_GONE,    /* had ended before that */
  RSM__FATE_ALIVE,   /* did not stop */
  RSM__FATE_RESTARTED,
  RSM__FATE_FAILED, /* could not be started */
  RSM__FATE_LEFT,   /* was left stopped on purpose */
  RSM__FATE_COUNT
} rsm__fate;

typedef struct rsm__entry {
  rsm_app app; /* as it was listed, its status kept current */
  rsm__plan_place place;
  rsm__service_id service; /* of a service, or of what would start one; else name NULL */
  const char *const
      *bases; /* of a service: the full names of those that it depends on, or would start, and that stop */
  size_t base_count;
  rsm_left_why base_left; /* while restarting: why one of those is left */
  uint32_t parent;        /* 1 + index of its nearest ancestor in the journal; 0 none */
  uint32_t round;         /* of shutdown: 1, 2, ...; 0: planned again in a later one */
  bool registered;
  const char *const *args; /* as registered */
  size_t arg_count;
  uint32_t flags;
  const char *obstacle; /* why it cannot be made again from here; NULL: it can */
  bool other_user;      /* the obstacle is that it belongs to somebody else */
  const void *capture;  /* rsm__launch_capture's bytes */
  size_t capture_length;
  const void *lean_capture; /* without the environment; in memory only, for a journal that may not hold one */
  size_t lean_length;
  rsm__fate fate;
  uint64_t asked_at; /* rsm__clock_ms */
  uint32_t grace_ms;
  bool adopted; /* read from the file: an earlier primary's */
  uint32_t index;
} rsm__entry;

typedef struct rsm__journal {
  rsm__arena arena; /* of the entries and all that they point to */
  rsm__entry **entries;
  size_t count, capacity;
  uint32_t round;
  rsm__file *file;
} rsm__journal;

/* Its file alone: nothing more is written, what is remembered can still be read. */
void rsm__journal_close(rsm__journal *journal);
void rsm__journal_done(rsm__journal *journal);
/* Reads what is there; nothing there is an empty journal. Launch records (start-N) are taken into account: an entry
 * whose record is whole has been restarted. *ret_length: of the whole records. */
rsm_status rsm__journal_read(rsm__dir *session, rsm__journal *ret_journal, uint64_t *ret_length, rsm_error *reterr);
/* Opens it for appending, cut to length. */
rsm_status rsm__journal_open(rsm__journal *journal, rsm__dir *session, uint64_t length, rsm_error *reterr);

/* A new entry in the arena, not yet written. */
rsm__entry *rsm__journal_new_entry(rsm__journal *journal);
/* Writes entries [first, count) as the plan of one round. in_memory: the folder may hold an environment. */
rsm_status rsm__journal_plan(rsm__journal *journal, size_t first, bool in_memory, rsm_error *reterr);
/* Records an entry's new fate, with the process it was restarted as. */
rsm_status rsm__journal_mark(rsm__journal *journal, rsm__entry *entry, rsm__fate fate, rsm_error *reterr);

/* The newest entry of a service; NULL: there is none. */
rsm__entry *rsm__journal_find_service(const rsm__journal *journal, const rsm__service_id *id);
/* Is it down, and nothing has been decided about it? Then the session owes a restart. */
bool rsm__journal_owes(const rsm__journal *journal);
/* Is it down: stopped, failed to start, or left? */
bool rsm__entry_is_down(const rsm__entry *entry);
/* The name of the launch record of an entry: "start-12". */
void rsm__journal_start_name(const rsm__entry *entry, char *buf, size_t size);
/* The process that the entry's launch record names. RSM_NOT_FOUND: there is no whole one, nothing was started. */
rsm_status rsm__journal_started(rsm__dir *session, const rsm__entry *entry, rsm_process *ret_process,
                                rsm_error *reterr);
/* Entries that were asked, or planned in a round in which somebody was asked: look whether they have ended since.
 * Waits, (wait) for those that were asked, while their grace lasts; the others are looked at once. A service that is on
 * its way down counts as down: its manager brings it there, whatever becomes of us. */
rsm_status rsm__journal_settle(rsm__journal *journal, rsm__task *task, bool wait, rsm_error *reterr);

#endif
