/* scan_bpf.c: finds whom to look at by a walk through all processes in the kernel (walker.h, bpf/walk.c), which takes
 * no lock of anybody's. SPDX-License-Identifier: MIT
 *
 * call                    | purpose                              | blocks on
 * rsm__shows_open         | the registered files                 | the lookup's limit, once a mount
 * rsm__walker_enter       | the program, loaded if it is not yet | another listing, for a moment
 * read (of an iterator)   | the walk                             | nothing
 * rsm__bounded_wait       | the second reader's end              | the same as the first: nothing
 *
 * The walk tells by inode numbers and by removed names who may be a holder; /proc then tells who is (look.c): the same
 * code for both ways. So a false hint costs a look. A missed one would be a holder missed: our own process is walked
 * through like all others, and must show what was planted in it (canary.h), or the whole walk is thrown away. What the
 * walk could not make out of one process is looked at wholly.
 *
 * All of this runs in a thread that can be given up, since registered files may lie on a mount that does not answer. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/linux/canary.h"
#include "os/linux/fd.h"
#include "os/linux/own_files.h"
#include "os/linux/processors.h"
#include "os/linux/scan.h"
#include "os/linux/scan_bpf_hooks.h"
#include "os/linux/scanner.h"
#include "os/linux/shows.h"
#include "os/linux/walker.h"

enum {
  BUFFER_RECORDS = 1024, /* as many as the kernel hands out at once */
  MOST_TOLD = 256,       /* records of one process; more, and all of it is looked at */
  MOST_TOLD_OF_SELF = 960,
  MOST_EXTRAS = RSM__SHOWS_MOST,
  BITS_A_FILE = 64,
  NAME_BITS = 64 * 1024,
  LEAST_BITS = 4096,
  MOST_BITS = RSM__WALK_WORDS * 64,
  OWN_BITS = RSM__OWN_WORDS * 64,
  OWN_TRIES = 3,        /* our own mappings may change while we walk through them */
  WORTH_TWO = 16 * 1024 /* open files: for fewer a second thread takes longer to start than it saves */
};

#ifdef RSM_TEST_HOOKS
rsm__bpf_fault rsm__bpf_fault_wanted;
bool rsm__bpf_by_two;
#endif

/* The whole attempt. Owned by the thread once that is given up. */
typedef struct attempt {
  rsm__scan *scan; /* a reference */
  rsm__bounded *job;
  rsm__walk_memory *memory; /* within rsm__walker_enter; NULL outside */
  rsm__canaries canaries;
  rsm__shows shows;
  uint64_t extras[MOST_EXTRAS]; /* inode numbers that stat does not show */
  size_t extra_count;
  rsm__hints hints;
  bool done;
  char reason[sizeof((rsm_scanner_info *)0)->reason]; /* why it is not done */
} attempt;

/* One pass through the processes, or through some of them. */
typedef struct reader {
  const attempt *a;
  rsm__hints hints;
  rsm__canaries_seen seen;
  bool own_doubt;                     /* something of our own process could not be made out */
  uint64_t own_maps[RSM__SHOWS_MOST]; /* the inode numbers at shows' mappings; 0: none */
  bool names_known;
  uint64_t names[NAME_BITS / 64]; /* a bit for each last part of a registered name, and for some others */
  const char *failed;             /* static text; NULL: it has not */
  rsm__walk_record records[BUFFER_RECORDS];
} reader;

/* "what", or "what: detail". */
static bool give_up(attempt *a, const char *what, const char *detail) {
  snprintf(a->reason, sizeof a->reason, "%s%s%s", what, detail ? ": " : "", detail ? detail : "");
  return false;
}

static void leave_walker(attempt *a) {
  if (a->memory) rsm__walker_leave();
  a->memory = NULL;
}

static void free_attempt(void *argument) {
  attempt *a = argument;
  rsm__free(a->hints.items);
  rsm__scan_unref(a->scan);
  rsm__free(a);
}

/* ---- Records ---- */

static bool is_extra(const attempt *a, uint64_t ino) {
  for (size_t i = 0; i < a->extra_count; i++)
    if (a->extras[i] == ino) return true;
  return false;
}

static uint64_t name_bit(const char *name, size_t length) {
  size_t told = length < RSM__WALK_NAME ? length : RSM__WALK_NAME;
  return rsm__hash_numbers(rsm__hash_text(name, told), length) % NAME_BITS;
}

static void note_names(reader *r) {
  const rsm__targets *targets = &r->a->scan->targets;
  for (size_t i = 0; i < targets->by_name.count; i++) {
    const rsm__target_name *name = &targets->names[i];
    size_t at = name->length;
    while (at > 0 && name->text[at - 1] != '/') at--;
    uint64_t bit = name_bit(name->text + at, name->length - at);
    r->names[bit / 64] |= (uint64_t)1 << bit % 64;
  }
  r->names_known = true;
}

/* May the removed name be one of ours? Below a directory, or a path that does not exist, every name is. */
static bool may_be_named(reader *r, const rsm__walk_record *record) {
  if (record->name_length == 0 || r->a->scan->targets.has_directories) return true;
  if (!r->names_known) note_names(r);
  uint64_t bit = name_bit(record->name, record->name_length);
  return r->names[bit / 64] >> bit % 64 & 1;
}

/* Exactly what the program could only guess: the number is one of ours, or the name was removed where ours lie. */
static bool is_hit(reader *r, const rsm__walk_record *record) {
  const rsm__targets *targets = &r->a->scan->targets;
  if (rsm__targets_has_inode(targets, record->ino) || is_extra(r->a, record->ino)) return true;
  if (!record->removed) return false;
  return rsm__targets_on_device(targets, makedev(record->device >> 20, record->device & 0xfffff)) &&
         may_be_named(r, record);
}

static bool is_lost(const rsm__walk_record *r) {
  switch ((int)rsm__bpf_fault_wanted) {
  case RSM__BPF_LOSES_OPEN:
    return r->kind == RSM__WALK_FD;
  case RSM__BPF_LOSES_MAPPED:
    return r->kind == RSM__WALK_MAP;
  case RSM__BPF_LOSES_EXE:
    return r->kind == RSM__WALK_EXE;
  default:
    return false;
  }
}

static void take_own(reader *r, const rsm__walk_record *record) {
  r->seen |= rsm__canaries_meet(&r->a->canaries, record);
  if (record->kind == RSM__WALK_DOUBTS) r->own_doubt = true;
  if (record->kind != RSM__WALK_MAP) return;
  for (size_t i = 0; i < r->a->shows.count; i++)
    if (record->value == (uintptr_t)r->a->shows.items[i].at) r->own_maps[i] = record->ino;
}

static bool take_other(reader *r, const rsm__walk_record *record) {
  rsm__hint_kind kind = RSM__HINT_WHOLE;
  bool doubt = record->kind == RSM__WALK_DOUBTS;
  if (!doubt && !is_hit(r, record)) return true;
  if (record->tid == record->tgid && !doubt)
    kind = record->kind == RSM__WALK_FD    ? RSM__HINT_DESCRIPTOR
           : record->kind == RSM__WALK_MAP ? RSM__HINT_MAPPING
                                           : RSM__HINT_REST;
  return rsm__hints_add(&r->hints, record->tgid, kind, record->value);
}

/* ---- Walking ---- */

static bool take_records(reader *r, size_t count, uint32_t self) {
  for (size_t i = 0; i < count; i++) {
    const rsm__walk_record *record = &r->records[i];
    if (is_lost(record)) continue;
    if (record->tgid == self)
      take_own(r, record);
    else if (!take_other(r, record))
      return false;
  }
  return true;
}

static void read_walk(reader *r, rsm__bounded *job) {
  const uint32_t self = (uint32_t)getpid();
  RSM_CLEAN_FD int walk = rsm__walker_begin();
  r->failed = walk < 0 ? "the kernel began no walk" : NULL;
  while (!r->failed) {
    ssize_t length = read(walk, r->records, sizeof r->records);
    rsm__bounded_tick(job);
    if (length < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (length == 0) return;
    if (length < 0 || (size_t)length % sizeof *r->records != 0)
      r->failed = "the walk broke off";
    else if (!take_records(r, (size_t)length / sizeof *r->records, self))
      r->failed = "out of memory";
  }
}

static void read_second(rsm__bounded *job, void *argument) {
  reader *r = argument;
  r->a->memory->second_reader = (uint32_t)gettid();
  read_walk(r, job);
}

static void free_reader(void *argument) {
  reader *r = argument;
  rsm__free(r->hints.items);
  rsm__free(r);
}

static void clean_reader(reader **r) {
  if (*r) free_reader(*r);
}

static reader *new_reader(const attempt *a) {
  reader *r = rsm__calloc(1, sizeof *r);
  if (r) r->a = a;
  return r;
}

static bool merge_reader(reader *into, const reader *from) {
  into->seen |= from->seen;
  into->own_doubt |= from->own_doubt;
  if (!into->failed) into->failed = from->failed;
  for (size_t i = 0; i < from->hints.count; i++)
    if (!rsm__hints_add(&into->hints, from->hints.items[i].pid, (rsm__hint_kind)from->hints.items[i].kind,
                        from->hints.items[i].value))
      return false;
  return true;
}

/* Two at once where there are two processors: the other one's thread reads some of the processes meanwhile. */
static void walk_by_two(reader *r) {
  attempt *a = (attempt *)r->a;
  rsm__bounded *other_job = NULL;
  reader *other = new_reader(a);
  a->memory->readers = 2;
  a->memory->second_reader = 0;
  memset(a->memory->taken, 0, sizeof a->memory->taken);
  memset(a->memory->owned, 0, sizeof a->memory->owned);
  if (!other || rsm__bounded_begin(read_second, free_reader, other, &other_job, NULL) != RSM_OK) {
    clean_reader(&other);
    a->memory->readers = 1;
    read_walk(r, a->job);
    return;
  }
  read_walk(r, a->job);
  rsm__bounded_wait(other_job, 0, NULL, NULL, NULL); /* whoever waits for us has a limit */
  if (!merge_reader(r, other)) r->failed = "out of memory";
  free_reader(other);
}

/* ---- The sets of inode numbers ---- */

static void add_number(rsm__walk_memory *memory, const rsm__walk_filter *filter, uint64_t ino) {
  uint64_t bit = RSM__WALK_BIT(ino) & filter->mask;
  memory->set[filter->first + bit / 64] |= (uint64_t)1 << bit % 64;
}

static void begin_set(rsm__walk_memory *memory, rsm__walk_filter *filter, uint64_t first, size_t bits) {
  *filter = (rsm__walk_filter){.first = first, .mask = bits - 1};
  memset(&memory->set[first], 0, bits / 8);
}

static void fill_sets(attempt *a) {
  const rsm__targets *targets = &a->scan->targets;
  rsm__walk_memory *memory = a->memory;
  uint64_t own[RSM__CANARY_NUMBERS];
  size_t bits = LEAST_BITS;
  while (bits < targets->by_identity.count * BITS_A_FILE && bits < MOST_BITS) bits *= 2;
  begin_set(memory, &memory->filters[0], 0, bits);
  for (size_t i = 0; i < targets->by_identity.count; i++)
    add_number(memory, &memory->filters[0], targets->files[i].ino);
  for (size_t i = 0; i < a->extra_count; i++) add_number(memory, &memory->filters[0], a->extras[i]);
  begin_set(memory, &memory->filters[1], RSM__WALK_WORDS, (size_t)OWN_BITS);
  rsm__canaries_numbers(&a->canaries, own);
  for (size_t i = 0; i < RSM__CANARY_NUMBERS; i++) add_number(memory, &memory->filters[1], own[i]);
}

/* Everything of our own process. */
static void fill_own_set(rsm__walk_memory *memory) {
  memory->filters[1] = (rsm__walk_filter){.first = RSM__WALK_WORDS, .mask = OWN_BITS - 1};
  memset(&memory->set[RSM__WALK_WORDS], 0xff, OWN_BITS / 8);
}

/* ---- Steps ---- */

static bool plant(attempt *a) {
  if (!rsm__bounded_touch(a->job, "what is planted in our own process")) return give_up(a, "given up", NULL);
  if (!rsm__canaries_plant(&a->canaries, a->scan->targets.has_directories))
    return give_up(a, "no file to check it by", strerrorname_np(errno));
  if (!rsm__shows_open(&a->shows, &a->scan->targets, a->job)) return give_up(a, "given up", NULL);
  if (a->shows.overlay && !a->shows.whole) return give_up(a, "too many files on an overlay", NULL);
  return true;
}

static bool enter(attempt *a) {
  rsm_error error;
  if (!rsm__bounded_touch(a->job, "the walk in the kernel")) return give_up(a, "given up", NULL);
  if (rsm__walker_enter(&a->memory, &error) != RSM_OK) {
    char text[sizeof a->reason];
    return give_up(a, rsm_error_format(&error, text, sizeof text), NULL);
  }
  rsm__walk_memory *memory = a->memory;
  const bool directories = a->scan->targets.has_directories;
  memory->show_count = memory->only_self = 0;
  memory->readers = 1;
  memory->second_reader = 0;
  memory->want_directories = directories;
  memory->want_modes = a->scan->targets.has_special ? UINT32_MAX : RSM__WALK_SEEKABLE | RSM__WALK_PATH_ONLY;
  memory->most_told = MOST_TOLD;
  memory->pretend_dead =
      (rsm__bpf_fault_wanted == RSM__BPF_DEAD_NODES ? 1u : 0u) | (rsm__bpf_fault_wanted == RSM__BPF_DEAD_OWN ? 2u : 0u);
  return true;
}

/* A number that stat does not show is looked for, too. */
static void add_extra(attempt *a, uint64_t ino) {
  if (!is_extra(a, ino) && a->extra_count < MOST_EXTRAS) a->extras[a->extra_count++] = ino;
}

static bool show(attempt *a) {
  rsm__walk_memory *memory = a->memory;
  rsm__walk_record record;
  uint32_t count = RSM__CANARY_FDS;
  for (int i = 0; i < RSM__CANARY_FDS; i++) memory->show[i] = (uint32_t)a->canaries.fds[i];
  for (size_t i = 0; i < a->shows.count; i++) memory->show[count++] = (uint32_t)a->shows.items[i].fd;
  memset(memory->shown, 0, count * sizeof *memory->shown);
  memory->show_count = count;
  RSM_CLEAN_FD int walk = rsm__walker_begin();
  ssize_t length = walk < 0 ? -1 : read(walk, &record, sizeof record);
  memory->show_count = 0;
  if (length != sizeof record || record.kind != RSM__WALK_SHOWED)
    return give_up(a, "the kernel did not show our own files", NULL);
  if (!rsm__canaries_know(&a->canaries, memory->shown))
    return give_up(a, "the kernel shows our own files as other ones", NULL);
  const rsm__walk_shown *shown = memory->shown + RSM__CANARY_FDS;
  for (size_t i = 0; i < a->shows.count; i++)
    if (shown[i].ino != a->shows.items[i].ino) add_extra(a, shown[i].ino);
  return true;
}

/* What is mapped of an overlay is the file below, with a number of its own, whose removal does not show. */
static bool look_below(attempt *a) {
  RSM_CLEAN(clean_reader) reader *r = a->shows.overlay ? new_reader(a) : NULL;
  const rsm__walk_shown *shown = a->memory->shown + RSM__CANARY_FDS;
  if (!a->shows.overlay) return true;
  if (!r) return give_up(a, "out of memory", NULL);
  for (size_t i = 0; i < a->shows.count; i++)
    if (shown[i].removed != 0) return give_up(a, "removed files are in use on an overlay", NULL);
  fill_own_set(a->memory);
  a->memory->only_self = 1;
  a->memory->most_told = MOST_TOLD_OF_SELF;
  read_walk(r, a->job);
  a->memory->only_self = 0;
  a->memory->most_told = MOST_TOLD;
  if (r->failed) return give_up(a, r->failed, NULL);
  for (size_t i = 0; i < a->shows.count; i++) {
    if (!a->shows.items[i].file) continue;
    if (r->own_maps[i] == 0) return give_up(a, "the files below an overlay cannot be made out", NULL);
    add_extra(a, r->own_maps[i]);
  }
  return true;
}

/* Our own process again, if something of it was in flux. */
static void walk_self_again(reader *r) {
  for (int i = 0; i < OWN_TRIES && r->own_doubt && !r->failed; i++) {
    r->own_doubt = false;
    r->a->memory->only_self = 1;
    read_walk(r, r->a->job);
    r->a->memory->only_self = 0;
  }
}

static bool walk(attempt *a) {
  RSM_CLEAN(clean_reader) reader *r = new_reader(a);
  if (!r) return give_up(a, "out of memory", NULL);
  fill_sets(a);
  if (rsm__bpf_by_two || (rsm__has_two_processors() && rsm__scanner_count_files() >= WORTH_TWO))
    walk_by_two(r);
  else
    read_walk(r, a->job);
  a->memory->readers = 1;
  walk_self_again(r);
  const char *missing = r->failed ? r->failed : rsm__canaries_missing(&a->canaries, r->seen);
  if (missing) return give_up(a, missing, NULL);
  a->hints = r->hints;
  r->hints = (rsm__hints){0};
  return true;
}

/* ---- All of it ---- */

/* Of ourselves everything is looked at: that we may hold a file is found in the same way as with all others. */
static bool finish(attempt *a) {
  if (!rsm__hints_add(&a->hints, (uint32_t)getpid(), RSM__HINT_WHOLE, 0)) return give_up(a, "out of memory", NULL);
  rsm__hints_sort(&a->hints);
  return true;
}

static void attempt_all(rsm__bounded *job, void *argument) {
  attempt *a = argument;
  a->job = job;
  const char *unknown = rsm__shows_check(&a->shows, &a->scan->targets);
  if (unknown) {
    give_up(a, "files lie on a file system that it does not know", unknown);
    return;
  }
  rsm__own_files_begin();
  a->done = plant(a) && enter(a) && show(a) && look_below(a) && walk(a) && finish(a);
  leave_walker(a);
  rsm__shows_close(&a->shows);
  rsm__canaries_remove(&a->canaries);
  rsm__own_files_end();
}

static void conclude(rsm__scan *scan, attempt *a) {
  scan->hinted = a->done;
  if (a->done) {
    scan->hints = a->hints;
    a->hints = (rsm__hints){0};
  }
  rsm__scanner_tell(a->done, a->reason);
  free_attempt(a);
}

rsm_status rsm__scan_bpf(rsm__scan *scan, rsm_error *reterr) {
  const char *reason;
  rsm__bounded *stuck = NULL;
  if (!rsm__scanner_choose(rsm__lookup_is_without_bpf(scan->targets.lookup), &reason)) {
    rsm__scanner_tell(false, reason);
    return RSM_OK;
  }
  attempt *a = rsm__calloc(1, sizeof *a);
  if (!a) {
    rsm__scanner_tell(false, "out of memory");
    return RSM_OK;
  }
  atomic_fetch_add(&scan->references, 1);
  a->scan = scan;
  rsm_status status = rsm__lookup_try(scan->targets.lookup, attempt_all, free_attempt, a, scan->task, &stuck, reterr);
  if (status == RSM_OK) {
    conclude(scan, a);
    return RSM_OK;
  }
  rsm__scanner_tell(false, "its thread did not start, or a file did not answer in time");
  if (!stuck) return status == RSM_CANCELLED ? status : RSM_OK;
  if (rsm__bounded_stuck_at(stuck)[0] == '/') return rsm__lookup_remember_mount(scan->targets.lookup, stuck, reterr);
  rsm__bounded_unref(stuck);
  return RSM_OK;
}
