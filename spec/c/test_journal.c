/* test_journal.c: what a session stopped is found again, by whoever reads the journal, however much of it was written.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <stdint.h>

#include "base/cleanup.h"
#include "builtin/journal.h"
#include "builtin/record.h"
#include "check.h"
#include "os/process.h"
#include "os/user.h"
#include "own_store.h"
#include "start_record.h"

enum { MOST_STEPS = 32, MOST_ENTRIES = 16 };

static struct {
  rsm__dir *place, *dir;
  char name[32];
} store;

static void close_store(void) {
  store.dir = rsm__dir_close(store.dir);
  if (rsm__dir_remove(store.place, store.name, NULL) != RSM_OK) fprintf(stderr, "%s is left behind\n", store.name);
  store.place = rsm__dir_close(store.place);
}

/* A folder that is no session's and goes again. */
static void open_store(void) {
  rsm_error error;
  rsm_status status = RSM_NOT_FOUND;
  for (unsigned place = 0; status != RSM_OK && status != RSM_INVALID_PARAMETER; place++)
    status = rsm__private_place_open(rsm__user_current(), place, true, &store.place, &error);
  CHECK_INT(status, RSM_OK);
  snprintf(store.name, sizeof store.name, "test-%u", (unsigned)rsm__process_self());
  CHECK_INT(rsm__dir_open(store.place, store.name, true, &store.dir, &error), RSM_OK);
  atexit(close_store); /* also after a failed check */
}

static void forget_files(void) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  const char *const *names;
  size_t count;
  CHECK_INT(rsm__dir_names(store.dir, 1000, &arena, &names, &count, NULL), RSM_OK);
  for (size_t i = 0; i < count; i++) CHECK_INT(rsm__dir_remove(store.dir, names[i], NULL), RSM_OK);
}

static void put_file(const char *name, const void *data, size_t length) {
  rsm__file *file;
  if (rsm__file_reopen(store.dir, name, 0, &file, NULL) != RSM_OK)
    CHECK_INT(rsm__file_create(store.dir, name, &file, NULL), RSM_OK);
  if (length) CHECK_INT(rsm__file_append(file, data, length, NULL), RSM_OK);
  rsm__file_close(file);
}

static rsm__buffer get_file(const char *name) {
  rsm__buffer content = {0};
  CHECK_INT(rsm__dir_read(store.dir, name, 1 << 20, &content, NULL), RSM_OK);
  return content;
}

/* ---- A journal of two rounds, and what is known after each of its records ---- */

static const char *const command[] = {"prog", "--option", "with \xC3\xA4 and\nnewline"};
static const char *const services[] = {"a.service", "b.service", "c.service"};
static const char *const bases[] = {"base.service", "another.service"};
static const char *const args[] = {"--again"};

static rsm__entry *add_entry(rsm__journal *journal, uint32_t pid) {
  rsm__entry *entry = rsm__journal_new_entry(journal);
  CHECK(entry && entry->index == journal->count - 1 && entry->fate == RSM__FATE_PLANNED);
  entry->app = (rsm_app){.process = {.pid = pid, .start_time = 10 * (uint64_t)pid, .instance = 3},
                         .started_at = 1700000000,
                         .name = "prog",
                         .service = pid % 2 ? "prog.service" : NULL,
                         .type = pid % 2 ? RSM_APP_SERVICE : RSM_APP_CONSOLE,
                         .status = RSM_APP_RUNNING,
                         .logon_session = "c1",
                         .restartable = true,
                         .restart_by = RSM_RESTART_BY_REGISTRATION,
                         .user = "root",
                         .exe = "/usr/bin/prog",
                         .command = command,
                         .command_count = RSM_COUNT(command),
                         .note = pid % 3 ? "a note" : NULL,
                         .affected = true};
  entry->place = (rsm__plan_place){.depth = pid, .held = pid % 2, .first_up = pid % 4 == 1};
  entry->service = (rsm__service_id){pid % 3 ? NULL : services[pid / 3 % 3], pid % 2, pid};
  entry->bases = bases;
  entry->base_count = pid % 6 ? 0 : RSM_COUNT(bases);
  entry->parent = entry->index; /* the one before it, the first has none */
  entry->registered = pid % 2;
  entry->args = args;
  entry->arg_count = pid % 2 ? RSM_COUNT(args) : 0;
  entry->flags = RSM_RESTART_NO_HANG;
  entry->obstacle = pid % 5 ? NULL : "an obstacle";
  entry->other_user = pid % 5 == 0;
  entry->capture = "capture\0with environment";
  entry->capture_length = 24;
  entry->lean_capture = "lean";
  entry->lean_length = 4;
  return entry;
}

static void same_entry(const rsm__entry *a, const rsm__entry *b, bool lean) {
  CHECK(rsm_process_equal(&a->app.process, &b->app.process) && a->app.process.instance == b->app.process.instance);
  CHECK(a->app.started_at == b->app.started_at && a->app.type == b->app.type && a->app.status == b->app.status);
  CHECK(a->app.restartable == b->app.restartable && a->app.restart_by == b->app.restart_by && a->app.affected);
  CHECK_TEXT(a->app.name, b->app.name);
  CHECK_TEXT(a->app.service, b->app.service);
  CHECK_TEXT(a->app.logon_session, b->app.logon_session);
  CHECK_TEXT(a->app.user, b->app.user);
  CHECK_TEXT(a->app.exe, b->app.exe);
  CHECK_TEXT(a->app.note, b->app.note);
  CHECK_INT(a->app.command_count, b->app.command_count);
  for (size_t i = 0; i < a->app.command_count; i++) CHECK_TEXT(a->app.command[i], b->app.command[i]);
  CHECK(a->place.depth == b->place.depth && a->parent == b->parent && a->round == b->round && a->index == b->index);
  CHECK(a->place.held == b->place.held && a->place.first_up == b->place.first_up);
  CHECK_TEXT(a->service.name, b->service.name);
  CHECK(a->service.user_manager == b->service.user_manager && a->service.owner == b->service.owner);
  CHECK_INT(a->base_count, b->base_count);
  for (size_t i = 0; i < a->base_count; i++) CHECK_TEXT(a->bases[i], b->bases[i]);
  CHECK(a->registered == b->registered && a->flags == b->flags && a->other_user == b->other_user);
  CHECK_TEXT(a->obstacle, b->obstacle);
  CHECK_INT(a->arg_count, b->arg_count);
  for (size_t i = 0; i < a->arg_count; i++) CHECK_TEXT(a->args[i], b->args[i]);
  size_t length = lean ? b->lean_length : b->capture_length;
  CHECK_INT(a->capture_length, length);
  CHECK(memcmp(a->capture, lean ? b->lean_capture : b->capture, length) == 0);
  CHECK(a->fate == b->fate && a->asked_at == b->asked_at && a->grace_ms == b->grace_ms);
  CHECK(rsm_process_equal(&a->app.restarted_as, &b->app.restarted_as));
  CHECK(a->adopted && !b->adopted);
}

/* What a reader must find after so many bytes. */
typedef struct step {
  size_t length, count;
  rsm__fate fates[MOST_ENTRIES];
} step;
static step steps[MOST_STEPS];
static size_t step_count;

static void note_step(const rsm__journal *journal) {
  RSM_CLEAN_BUFFER rsm__buffer file = get_file("journal");
  step *now = &steps[step_count++];
  *now = (step){.length = file.length, .count = journal->count};
  CHECK(step_count <= MOST_STEPS && journal->count <= MOST_ENTRIES);
  for (size_t i = 0; i < journal->count; i++) now->fates[i] = journal->entries[i]->fate;
}

static void mark(rsm__journal *journal, size_t index, rsm__fate fate) {
  rsm__entry *entry = journal->entries[index];
  if (fate == RSM__FATE_ASKED) {
    entry->asked_at = 1000 + index;
    entry->grace_ms = 300;
  }
  if (fate == RSM__FATE_RESTARTED) entry->app.restarted_as = (rsm_process){.pid = 500, .start_time = 5000};
  CHECK_INT(rsm__journal_mark(journal, entry, fate, NULL), RSM_OK);
  CHECK_INT(entry->fate, fate);
  note_step(journal);
}

/* Leaves the file behind; *journal is what its writer knows. */
static void write_sample(rsm__journal *journal, bool in_memory) {
  forget_files();
  *journal = (rsm__journal){0};
  step_count = 0;
  CHECK_INT(rsm__journal_open(journal, store.dir, 0, NULL), RSM_OK);
  note_step(journal);
  for (uint32_t pid = 1; pid <= 6; pid++) add_entry(journal, pid);
  CHECK_INT(rsm__journal_plan(journal, 0, in_memory, NULL), RSM_OK);
  CHECK_INT(journal->round, 1);
  note_step(journal);
  mark(journal, 0, RSM__FATE_ASKED);
  mark(journal, 0, RSM__FATE_STOPPED);
  mark(journal, 1, RSM__FATE_GONE);
  mark(journal, 2, RSM__FATE_ASKED);
  mark(journal, 2, RSM__FATE_ALIVE);
  mark(journal, 3, RSM__FATE_ASKED);
  mark(journal, 3, RSM__FATE_STOPPED);
  mark(journal, 3, RSM__FATE_RESTARTED);
  mark(journal, 4, RSM__FATE_STOPPED);
  mark(journal, 4, RSM__FATE_FAILED);
  for (uint32_t pid = 7; pid <= 9; pid++) add_entry(journal, pid);
  CHECK_INT(rsm__journal_plan(journal, 6, in_memory, NULL), RSM_OK);
  CHECK(journal->round == 2 && journal->entries[6]->round == 2 && journal->entries[5]->round == 1);
  note_step(journal);
  mark(journal, 6, RSM__FATE_STOPPED);
  mark(journal, 6, RSM__FATE_LEFT);
  mark(journal, 7, RSM__FATE_ASKED);
}

static rsm__journal read_journal(uint64_t *ret_length) {
  rsm__journal journal = {0};
  rsm_error error = {0};
  CHECK_INT(rsm__journal_read(store.dir, &journal, ret_length, &error), RSM_OK);
  return journal;
}

/* ---- The tests ---- */

static void nothing_there_is_an_empty_journal(void) {
  uint64_t length = 7;
  forget_files();
  RSM_CLEAN(rsm__journal_done) rsm__journal journal = read_journal(&length);
  CHECK(journal.count == 0 && journal.round == 0 && length == 0 && !rsm__journal_owes(&journal));
}

static void a_reader_knows_what_the_writer_knew(void) {
  for (int in_memory = 0; in_memory < 2; in_memory++) {
    RSM_CLEAN(rsm__journal_done) rsm__journal written = {0};
    uint64_t length;
    write_sample(&written, in_memory);
    RSM_CLEAN(rsm__journal_done) rsm__journal journal = read_journal(&length);
    CHECK_INT(length, steps[step_count - 1].length);
    CHECK(journal.count == written.count && journal.round == written.round);
    for (size_t i = 0; i < journal.count; i++) same_entry(journal.entries[i], written.entries[i], !in_memory);
  }
}

static void every_fate_leaves_its_mark_in_the_status(void) {
  static const struct {
    rsm__fate fate;
    uint32_t status;
    bool down, owes;
  } cases[] = {
      {RSM__FATE_PLANNED, RSM_APP_RUNNING, false, false},
      {RSM__FATE_ASKED, RSM_APP_RUNNING, false, true},
      {RSM__FATE_STOPPED, RSM_APP_STOPPED, true, true},
      {RSM__FATE_GONE, RSM_APP_STOPPED_OTHER, false, false},
      {RSM__FATE_ALIVE, RSM_APP_RUNNING | RSM_APP_ERROR_ON_STOP, false, false},
      {RSM__FATE_RESTARTED, RSM_APP_RUNNING | RSM_APP_RESTARTED, false, false},
      {RSM__FATE_FAILED, RSM_APP_RUNNING | RSM_APP_ERROR_ON_RESTART, true, false},
      {RSM__FATE_LEFT, RSM_APP_RUNNING, true, false},
  };
  CHECK_INT(RSM_COUNT(cases), RSM__FATE_COUNT);
  for (size_t i = 0; i < RSM_COUNT(cases); i++) {
    RSM_CLEAN(rsm__journal_done) rsm__journal written = {0};
    uint64_t length;
    forget_files();
    CHECK_INT(rsm__journal_open(&written, store.dir, 0, NULL), RSM_OK);
    rsm__entry *entry = add_entry(&written, 1);
    CHECK_INT(rsm__journal_plan(&written, 0, true, NULL), RSM_OK);
    CHECK_INT(rsm__journal_mark(&written, entry, cases[i].fate, NULL), RSM_OK);
    RSM_CLEAN(rsm__journal_done) rsm__journal journal = read_journal(&length);
    CHECK_INT(journal.count, 1);
    const rsm__journal *both[] = {&written, &journal};
    for (int k = 0; k < 2; k++) {
      CHECK_INT(both[k]->entries[0]->fate, cases[i].fate);
      CHECK_INT(both[k]->entries[0]->app.status, cases[i].status);
      CHECK_INT(rsm__entry_is_down(both[k]->entries[0]), cases[i].down);
      if (cases[i].fate != RSM__FATE_ALIVE)
        CHECK_INT(rsm__journal_owes(both[k]), cases[i].owes); /* else it is looked for */
    }
  }
}

/* Deaf in one round, asked again in the next: only the newer entry tells what became of it. */
static void the_newest_plan_of_a_process_counts(void) {
  static const rsm__fate before[] = {RSM__FATE_PLANNED, RSM__FATE_ASKED, RSM__FATE_ALIVE};
  for (size_t i = 0; i < RSM_COUNT(before); i++) {
    RSM_CLEAN(rsm__journal_done) rsm__journal written = {0};
    uint64_t length;
    forget_files();
    CHECK_INT(rsm__journal_open(&written, store.dir, 0, NULL), RSM_OK);
    for (size_t round = 0; round < 2; round++) {
      add_entry(&written, 1)->parent = 0;
      CHECK_INT(rsm__journal_plan(&written, round, true, NULL), RSM_OK);
      CHECK_INT(rsm__journal_mark(&written, written.entries[round], round ? RSM__FATE_STOPPED : before[i], NULL),
                RSM_OK);
    }
    CHECK_INT(rsm__journal_mark(&written, written.entries[1], RSM__FATE_RESTARTED, NULL), RSM_OK);
    RSM_CLEAN(rsm__journal_done) rsm__journal journal = read_journal(&length);
    const rsm__journal *both[] = {&written, &journal};
    for (int k = 0; k < 2; k++) {
      CHECK(both[k]->count == 2 && both[k]->entries[0]->fate == RSM__FATE_PLANNED && both[k]->entries[0]->round == 0);
      CHECK(!rsm__journal_owes(both[k]) && !rsm__entry_is_down(both[k]->entries[0]));
    }
  }
}

static void stopped_and_restarted_is_history(void) {
  RSM_CLEAN(rsm__journal_done) rsm__journal written = {0};
  write_sample(&written, true);
  CHECK_INT(written.entries[3]->app.status, RSM_APP_STOPPED | RSM_APP_RESTARTED);
  CHECK_INT(written.entries[4]->app.status, RSM_APP_STOPPED | RSM_APP_ERROR_ON_RESTART);
}

/* A reader finds the state after the last whole record, and no other. */
static void check_prefix(size_t length) {
  uint64_t read_length;
  RSM_CLEAN(rsm__journal_done) rsm__journal journal = read_journal(&read_length);
  const step *want = &steps[0];
  for (size_t i = 0; i < step_count && steps[i].length <= length; i++) want = &steps[i];
  CHECK_INT(read_length, want->length);
  CHECK_INT(journal.count, want->count);
  for (size_t i = 0; i < journal.count; i++) CHECK_INT(journal.entries[i]->fate, want->fates[i]);
}

static void a_torn_journal_is_read_up_to_the_tear(void) {
  rsm__journal written;
  write_sample(&written, true);
  rsm__journal_done(&written);
  RSM_CLEAN_BUFFER rsm__buffer file = get_file("journal");
  CHECK_INT(file.length, steps[step_count - 1].length);
  for (size_t length = 0; length <= file.length; length++) {
    put_file("journal", file.data, length);
    check_prefix(length);
  }
}

static void writing_goes_on_after_a_tear(void) {
  rsm__journal written;
  write_sample(&written, true);
  rsm__journal_done(&written);
  RSM_CLEAN_BUFFER rsm__buffer file = get_file("journal");
  for (size_t k = 1; k < step_count; k++) { /* one byte short of each record */
    uint64_t length, again_length;
    put_file("journal", file.data, steps[k].length - 1);
    rsm__journal journal = read_journal(&length);
    CHECK_INT(length, steps[k - 1].length);
    CHECK_INT(rsm__journal_open(&journal, store.dir, length, NULL), RSM_OK);
    size_t first = journal.count;
    add_entry(&journal, 77)->parent = 0;
    CHECK_INT(rsm__journal_plan(&journal, first, true, NULL), RSM_OK);
    CHECK_INT(rsm__journal_mark(&journal, journal.entries[first], RSM__FATE_STOPPED, NULL), RSM_OK);
    rsm__journal again = read_journal(&again_length);
    CHECK(again.count == first + 1 && again.round == journal.round);
    CHECK_INT(again.entries[first]->app.process.pid, 77);
    CHECK(rsm__entry_is_down(again.entries[first]) && rsm__journal_owes(&again));
    rsm__journal_done(&again);
    rsm__journal_done(&journal);
  }
}

/* ---- Untrusted input ---- */

/* Always the same sequence, so that a failure comes again. */
static uint64_t dice_state = 0x2545F4914F6CDD1Du;

static uint32_t dice(uint32_t sides) {
  dice_state ^= dice_state << 13;
  dice_state ^= dice_state >> 7;
  dice_state ^= dice_state << 17;
  return (uint32_t)(dice_state >> 33) % sides;
}

static void is_sane(const rsm__journal *journal) {
  for (size_t i = 0; i < journal->count; i++) {
    const rsm__entry *entry = journal->entries[i];
    CHECK(entry->index == i && entry->parent <= i && entry->round <= journal->round);
    CHECK(entry->app.name && entry->fate < RSM__FATE_COUNT && (entry->capture || !entry->capture_length));
    for (size_t k = 0; k < entry->app.command_count; k++) CHECK(entry->app.command[k]);
    for (size_t k = 0; k < entry->arg_count; k++) CHECK(entry->args[k]);
  }
  rsm__journal_owes(journal);
}

static void mutate(unsigned char *data, size_t length) {
  for (uint32_t i = 1 + dice(4); length && i > 0; i--)
    data[dice((uint32_t)length)] = dice(4) ? (unsigned char)dice(256) : (unsigned char)(dice(2) * 255);
}

static void a_damaged_journal_is_a_shorter_one(void) {
  rsm__journal written;
  write_sample(&written, true);
  rsm__journal_done(&written);
  RSM_CLEAN_BUFFER rsm__buffer file = get_file("journal");
  for (int round = 0; round < 1500; round++) {
    RSM_CLEAN_FREE unsigned char *data = rsm__malloc(file.length);
    memcpy(data, file.data, file.length);
    mutate(data, file.length);
    size_t same = 0;
    while (same < file.length && data[same] == file.data[same]) same++;
    put_file("journal", data, file.length);
    check_prefix(same);
  }
}

/* Whoever can write the file can make the checksums right, too. */
static void a_forged_journal_is_survived(void) {
  rsm__journal written;
  write_sample(&written, true);
  rsm__journal_done(&written);
  RSM_CLEAN_BUFFER rsm__buffer file = get_file("journal");
  size_t entries = 0;
  for (int round = 0; round < 3000; round++) {
    RSM_CLEAN_BUFFER rsm__buffer forged = {0};
    rsm__cursor all = {.data = file.data, .length = file.length}, content;
    while (rsm__record_next(&all, &content)) {
      RSM_CLEAN_BUFFER rsm__buffer record = {0};
      rsm__buffer_put(&record, content.data, content.length);
      if (dice(3) == 0) mutate(record.data, record.length);
      if (dice(20) == 0) record.length = dice((uint32_t)record.length + 1);
      if (dice(20)) rsm__record_frame(&forged, &record); /* else it is missing */
    }
    put_file("journal", forged.data, forged.length);
    uint64_t length;
    RSM_CLEAN(rsm__journal_done) rsm__journal journal = read_journal(&length);
    CHECK_INT(length, forged.length); /* all records are whole */
    is_sane(&journal);
    entries += journal.count;
  }
  CHECK(entries > 1000); /* or the loop tests nothing */
}

/* ---- Launch records ---- */

static const rsm_process launched = {.pid = 4711, .start_time = 5, .instance = 6};

static void a_whole_launch_record_says_that_it_was_started(void) {
  RSM_CLEAN_BUFFER rsm__buffer record = start_record(&launched);
  for (size_t length = 0; length <= record.length; length++) {
    rsm__journal written;
    uint64_t read_length;
    char name[32];
    write_sample(&written, true);
    rsm__journal_start_name(written.entries[0], name, sizeof name);
    CHECK_TEXT(name, "start-0");
    put_file(name, record.data, length);
    RSM_CLEAN(rsm__journal_done) rsm__journal journal = read_journal(&read_length);
    bool whole = length == record.length;
    CHECK_INT(journal.entries[0]->fate, whole ? RSM__FATE_RESTARTED : RSM__FATE_STOPPED);
    CHECK_INT(journal.entries[0]->app.restarted_as.pid, whole ? 4711 : 0);
    CHECK_INT(rsm__entry_is_down(journal.entries[0]), !whole);
    rsm__journal_done(&written);
  }
}

static void a_damaged_launch_record_started_nothing(void) {
  RSM_CLEAN_BUFFER rsm__buffer record = start_record(&launched);
  rsm__journal written;
  write_sample(&written, true);
  rsm__journal_done(&written);
  for (size_t bit = 0; bit < 8 * record.length; bit++) {
    uint64_t length;
    record.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    put_file("start-0", record.data, record.length);
    record.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    RSM_CLEAN(rsm__journal_done) rsm__journal journal = read_journal(&length);
    CHECK_INT(journal.entries[0]->fate, RSM__FATE_STOPPED);
  }
}

static void what_is_noted_wins_over_launch_records(void) {
  RSM_CLEAN_BUFFER rsm__buffer record = start_record(&launched);
  rsm__journal written;
  uint64_t length;
  write_sample(&written, true);
  rsm__journal_done(&written);
  put_file("start-3", record.data, record.length);  /* noted as restarted, as pid 500 */
  put_file("start-99", record.data, record.length); /* of no entry */
  RSM_CLEAN(rsm__journal_done) rsm__journal journal = read_journal(&length);
  CHECK_INT(journal.entries[3]->app.restarted_as.pid, 500);
  CHECK_INT(journal.count, 9);
}

/* ---- When memory runs out ---- */

#ifdef RSM_TEST_HOOKS
static void reading_survives_a_full_memory(void) {
  rsm__journal written;
  write_sample(&written, true);
  rsm__journal_done(&written);
  long before = rsm__alloc_live();
  for (unsigned long at = 1;; at++) {
    rsm__journal journal = {0};
    uint64_t length = 77;
    rsm__alloc_fail_at(at, 0);
    rsm_status status = rsm__journal_read(store.dir, &journal, &length, NULL);
    rsm__alloc_fail_at(0, 0);
    if (status == RSM_OK) CHECK_INT(journal.count, 9); /* never a part of it */
    rsm__journal_done(&journal);
    CHECK_INT(rsm__alloc_live(), before);
    if (status == RSM_OK) break;
    CHECK(status == RSM_OUT_OF_MEMORY && length == 77 && at < 1000);
  }
}

/* Either the plan is in the file and in the writer's mind, or in neither of them. */
static void planning_survives_a_full_memory(void) {
  bool whole = false;
  for (unsigned long at = 1; !whole; at++) {
    rsm__journal journal = {0};
    uint64_t length;
    forget_files();
    CHECK_INT(rsm__journal_open(&journal, store.dir, 0, NULL), RSM_OK);
    add_entry(&journal, 1);
    rsm__alloc_fail_at(at, 0);
    rsm_status planned = rsm__journal_plan(&journal, 0, true, NULL);
    rsm_status marked = planned == RSM_OK ? rsm__journal_mark(&journal, journal.entries[0], RSM__FATE_STOPPED, NULL)
                                          : RSM_OUT_OF_MEMORY;
    rsm__alloc_fail_at(0, 0);
    whole = marked == RSM_OK;
    CHECK_INT(journal.round, planned == RSM_OK);
    CHECK_INT(rsm__journal_owes(&journal), planned == RSM_OK); /* known, even if it could not be written */
    rsm__journal again = read_journal(&length);
    CHECK_INT(again.count, planned == RSM_OK);
    CHECK_INT(rsm__journal_owes(&again), whole);
    rsm__journal_done(&again);
    rsm__journal_done(&journal);
    CHECK(at < 1000);
  }
}
#endif

static const check_test tests[] = {
    CHECK_TEST(nothing_there_is_an_empty_journal),
    CHECK_TEST(a_reader_knows_what_the_writer_knew),
    CHECK_TEST(every_fate_leaves_its_mark_in_the_status),
    CHECK_TEST(the_newest_plan_of_a_process_counts),
    CHECK_TEST(stopped_and_restarted_is_history),
    CHECK_TEST(a_torn_journal_is_read_up_to_the_tear),
    CHECK_TEST(writing_goes_on_after_a_tear),
    CHECK_TEST(a_damaged_journal_is_a_shorter_one),
    CHECK_TEST(a_forged_journal_is_survived),
    CHECK_TEST(a_whole_launch_record_says_that_it_was_started),
    CHECK_TEST(a_damaged_launch_record_started_nothing),
    CHECK_TEST(what_is_noted_wins_over_launch_records),
#ifdef RSM_TEST_HOOKS
    CHECK_TEST(reading_survives_a_full_memory),
    CHECK_TEST(planning_survives_a_full_memory),
#endif
};

int main(int argc, char **argv) {
  hide_real_places();
  open_store();
  return check_run(tests, sizeof tests / sizeof *tests, argc, argv);
}
