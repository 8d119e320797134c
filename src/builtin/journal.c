/* journal.c: SPDX-License-Identifier: MIT */
#include "builtin/journal.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "builtin/record.h"
#include "os/clock.h"
#include "os/launch.h"
#include "os/wait.h"

static const char NAME[] = "journal";
enum { JOURNAL_LIMIT = 1 << 30, START_RECORD_LIMIT = 4096, RECORD_PLAN = 1, RECORD_FATE = 2 };

void rsm__journal_close(rsm__journal *journal) {
  journal->file = rsm__file_close(journal->file);
}

void rsm__journal_done(rsm__journal *journal) {
  rsm__arena_done(&journal->arena);
  rsm__free(journal->entries);
  rsm__journal_close(journal);
  *journal = (rsm__journal){0};
}

rsm__entry *rsm__journal_new_entry(rsm__journal *journal) {
  rsm__entry *entry = rsm__arena_alloc(&journal->arena, sizeof *entry);
  if (!entry || rsm__grow(&journal->entries, &journal->capacity, journal->count + 1, sizeof(rsm__entry *)) < 0)
    return NULL;
  entry->app.name = "";
  entry->index = (uint32_t)journal->count;
  journal->entries[journal->count++] = entry;
  return entry;
}

/* Only what a later listing and a restart need: uses and processes are looked up anew. */
static void put_app(rsm__buffer *buffer, const rsm_app *app) {
  rsm__put_process(buffer, &app->process);
  rsm__buffer_put_u64(buffer, (uint64_t)app->started_at);
  rsm__buffer_put_text(buffer, app->name);
  rsm__buffer_put_text(buffer, app->service);
  rsm__buffer_put_u32(buffer, (uint32_t)app->type);
  rsm__buffer_put_u32(buffer, app->status);
  rsm__buffer_put_text(buffer, app->logon_session);
  rsm__buffer_put_u8(buffer, app->restartable);
  rsm__buffer_put_u8(buffer, (uint8_t)app->restart_by);
  rsm__buffer_put_text(buffer, app->user);
  rsm__buffer_put_text(buffer, app->exe);
  rsm__buffer_put_texts(buffer, app->command, app->command_count);
  rsm__buffer_put_text(buffer, app->note);
}

static void get_app(rsm__cursor *cursor, rsm__arena *arena, rsm_app *app) {
  app->process = rsm__get_process(cursor);
  app->started_at = (int64_t)rsm__cursor_u64(cursor);
  app->name = rsm__cursor_text(cursor, arena);
  app->service = rsm__cursor_text(cursor, arena);
  app->type = (rsm_app_type)rsm__cursor_u32(cursor);
  app->status = rsm__cursor_u32(cursor);
  app->logon_session = rsm__cursor_text(cursor, arena);
  app->restartable = rsm__cursor_u8(cursor) != 0;
  app->restart_by = (rsm_restart_by)rsm__cursor_u8(cursor);
  app->user = rsm__cursor_text(cursor, arena);
  app->exe = rsm__cursor_text(cursor, arena);
  app->command = rsm__cursor_texts(cursor, arena, &app->command_count);
  app->note = rsm__cursor_text(cursor, arena);
  app->affected = true;
  if (!app->name) cursor->failed = true;
}

static void put_entry(rsm__buffer *buffer, const rsm__entry *entry, bool in_memory) {
  put_app(buffer, &entry->app);
  rsm__put_service(buffer, &entry->service);
  rsm__buffer_put_u32(buffer, entry->place.depth);
  rsm__buffer_put_u8(buffer, entry->place.held);
  rsm__buffer_put_u8(buffer, entry->place.first_up);
  rsm__buffer_put_texts(buffer, entry->bases, entry->base_count);
  rsm__buffer_put_u32(buffer, entry->parent);
  rsm__buffer_put_u8(buffer, entry->registered);
  rsm__buffer_put_texts(buffer, entry->args, entry->arg_count);
  rsm__buffer_put_u32(buffer, entry->flags);
  rsm__buffer_put_text(buffer, entry->obstacle);
  rsm__buffer_put_u8(buffer, entry->other_user);
  if (in_memory)
    rsm__buffer_put_bytes(buffer, entry->capture, entry->capture_length);
  else
    rsm__buffer_put_bytes(buffer, entry->lean_capture, entry->lean_length);
}

static void get_entry(rsm__cursor *cursor, rsm__arena *arena, rsm__entry *entry) {
  get_app(cursor, arena, &entry->app);
  entry->service = rsm__get_service(cursor, arena);
  entry->place.depth = rsm__cursor_u32(cursor);
  entry->place.held = rsm__cursor_u8(cursor) != 0;
  entry->place.first_up = rsm__cursor_u8(cursor) != 0;
  entry->bases = rsm__cursor_texts(cursor, arena, &entry->base_count);
  entry->parent = rsm__cursor_u32(cursor);
  entry->registered = rsm__cursor_u8(cursor) != 0;
  entry->args = rsm__cursor_texts(cursor, arena, &entry->arg_count);
  entry->flags = rsm__cursor_u32(cursor);
  entry->obstacle = rsm__cursor_text(cursor, arena);
  entry->other_user = rsm__cursor_u8(cursor) != 0;
  entry->capture = rsm__cursor_bytes(cursor, arena, &entry->capture_length);
  entry->adopted = true;
  if (entry->parent > entry->index) cursor->failed = true; /* parents come first */
}

static rsm_status append(rsm__journal *journal, const rsm__buffer *content, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer record = {0};
  rsm__record_frame(&record, content);
  if (record.failed) return rsm__fail_memory(reterr);
  return rsm__file_append(journal->file, record.data, record.length, reterr);
}

static bool same_application(const rsm__entry *a, const rsm__entry *b) {
  if (a->service.name || b->service.name) return rsm__service_id_equal(&a->service, &b->service);
  return rsm_process_equal(&a->app.process, &b->app.process);
}

/* Who runs again (a process never does), and is to be stopped once more, is its newest entry's concern alone: an older
 * one is as if it had never been planned. Else it would be started once for each. */
static void supersede(rsm__journal *journal, size_t first) {
  for (size_t i = 0; i < first; i++) {
    rsm__entry *old = journal->entries[i];
    if (old->fate == RSM__FATE_RESTARTED || old->fate == RSM__FATE_GONE) continue;
    for (size_t k = first; k < journal->count; k++) {
      if (!same_application(old, journal->entries[k])) continue;
      old->fate = RSM__FATE_PLANNED;
      old->round = 0;
    }
  }
}

rsm_status rsm__journal_plan(rsm__journal *journal, size_t first, bool in_memory, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  rsm__buffer_put_u8(&content, RECORD_PLAN);
  rsm__buffer_put_u32(&content, (uint32_t)first);
  rsm__buffer_put_u32(&content, (uint32_t)(journal->count - first));
  for (size_t i = first; i < journal->count; i++) put_entry(&content, journal->entries[i], in_memory);
  rsm_status status = append(journal, &content, reterr);
  if (status != RSM_OK) return status;
  journal->round++;
  for (size_t i = first; i < journal->count; i++) journal->entries[i]->round = journal->round;
  supersede(journal, first);
  return RSM_OK;
}

static uint32_t status_after(uint32_t status, rsm__fate fate) {
  switch (fate) {
  case RSM__FATE_STOPPED:
    return (status & ~(uint32_t)RSM_APP_RUNNING) | RSM_APP_STOPPED;
  case RSM__FATE_GONE:
    return (status & ~(uint32_t)RSM_APP_RUNNING) | RSM_APP_STOPPED_OTHER;
  case RSM__FATE_ALIVE:
    return status | RSM_APP_ERROR_ON_STOP;
  case RSM__FATE_RESTARTED:
    return status | RSM_APP_RESTARTED;
  case RSM__FATE_FAILED:
    return status | RSM_APP_ERROR_ON_RESTART;
  default:
    return status;
  }
}

static void apply(rsm__entry *entry, rsm__fate fate) {
  entry->fate = fate;
  entry->app.status = status_after(entry->app.status, fate);
}

rsm_status rsm__journal_mark(rsm__journal *journal, rsm__entry *entry, rsm__fate fate, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  rsm__buffer_put_u8(&content, RECORD_FATE);
  rsm__buffer_put_u32(&content, entry->index);
  rsm__buffer_put_u8(&content, (uint8_t)fate);
  rsm__buffer_put_u64(&content, entry->asked_at);
  rsm__buffer_put_u32(&content, entry->grace_ms);
  rsm__put_process(&content, &entry->app.restarted_as);
  apply(entry, fate); /* what we know stays known, even if it cannot be written */
  return append(journal, &content, reterr);
}

static rsm_status replay_plan(rsm__journal *journal, rsm__cursor *content, rsm_error *reterr) {
  uint32_t first = rsm__cursor_u32(content), count = rsm__cursor_u32(content);
  if (first != journal->count) content->failed = true;
  journal->round++;
  for (uint32_t i = 0; i < count && !content->failed; i++) {
    rsm__entry *entry = rsm__journal_new_entry(journal);
    if (!entry) return rsm__fail_memory(reterr);
    entry->round = journal->round;
    get_entry(content, &journal->arena, entry);
    if (content->failed) journal->count--;
  }
  if (!content->failed) supersede(journal, first);
  return content->out_of_memory ? rsm__fail_memory(reterr) : RSM_OK;
}

static void replay_fate(rsm__journal *journal, rsm__cursor *content) {
  uint32_t index = rsm__cursor_u32(content);
  uint8_t fate = rsm__cursor_u8(content);
  uint64_t asked_at = rsm__cursor_u64(content);
  uint32_t grace_ms = rsm__cursor_u32(content);
  rsm_process restarted_as = rsm__get_process(content);
  if (content->failed || index >= journal->count || fate >= RSM__FATE_COUNT) return;
  rsm__entry *entry = journal->entries[index];
  uint64_t now = rsm__clock_ms();
  entry->asked_at = asked_at < now ? asked_at : now; /* a time to come would have us wait for it */
  entry->grace_ms = grace_ms;
  entry->app.restarted_as = restarted_as;
  apply(entry, (rsm__fate)fate);
}

void rsm__journal_start_name(const rsm__entry *entry, char *buf, size_t size) {
  snprintf(buf, size, "start-%u", (unsigned)entry->index);
}

rsm_status rsm__journal_started(rsm__dir *session, const rsm__entry *entry, rsm_process *ret_process,
                                rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer record = {0};
  char name[32];
  rsm__journal_start_name(entry, name, sizeof name);
  rsm_status status = rsm__dir_read(session, name, START_RECORD_LIMIT, &record, reterr);
  if (status == RSM_FILE_NOT_FOUND) return RSM_NOT_FOUND;
  if (status != RSM_OK) return status;
  return rsm__launch_record(record.data, record.length, ret_process) ? RSM_OK : RSM_NOT_FOUND;
}

/* The process wrote its record, but whoever started it did not live to note it. */
static rsm_status take_start_records(rsm__dir *session, rsm__journal *journal, rsm_error *reterr) {
  for (size_t i = 0; i < journal->count; i++) {
    rsm__entry *entry = journal->entries[i];
    if (entry->fate == RSM__FATE_RESTARTED) continue;
    rsm_process process;
    rsm_status status = rsm__journal_started(session, entry, &process, reterr);
    if (status == RSM_NOT_FOUND) continue;
    if (status != RSM_OK) return status;
    entry->app.restarted_as = process;
    apply(entry, RSM__FATE_RESTARTED);
  }
  return RSM_OK;
}

rsm_status rsm__journal_read(rsm__dir *session, rsm__journal *ret_journal, uint64_t *ret_length, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer file = {0};
  RSM_CLEAN(rsm__journal_done) rsm__journal journal = {0};
  rsm_status status = rsm__dir_read(session, NAME, JOURNAL_LIMIT, &file, reterr);
  if (status != RSM_OK && status != RSM_FILE_NOT_FOUND) return status;
  rsm__cursor all = {.data = file.data, .length = file.length}, content;
  status = RSM_OK;
  while (status == RSM_OK && rsm__record_next(&all, &content)) {
    uint8_t kind = rsm__cursor_u8(&content);
    if (kind == RECORD_PLAN)
      status = replay_plan(&journal, &content, reterr);
    else if (kind == RECORD_FATE)
      replay_fate(&journal, &content);
  }
  if (status == RSM_OK) status = take_start_records(session, &journal, reterr);
  if (status != RSM_OK) return status;
  *ret_journal = journal;
  *ret_length = all.position;
  journal = (rsm__journal){0};
  return RSM_OK;
}

rsm_status rsm__journal_open(rsm__journal *journal, rsm__dir *session, uint64_t length, rsm_error *reterr) {
  rsm_status status = rsm__file_reopen(session, NAME, length, &journal->file, reterr);
  return status == RSM_FILE_NOT_FOUND ? rsm__file_create(session, NAME, &journal->file, reterr) : status;
}

bool rsm__entry_is_down(const rsm__entry *entry) {
  return entry->fate == RSM__FATE_STOPPED || entry->fate == RSM__FATE_FAILED || entry->fate == RSM__FATE_LEFT;
}

rsm__entry *rsm__journal_find_service(const rsm__journal *journal, const rsm__service_id *id) {
  for (size_t i = journal->count; i-- > 0;)
    if (rsm__service_id_equal(&journal->entries[i]->service, id)) return journal->entries[i];
  return NULL;
}

/* Was it asked in vain, and has it obeyed since? What cannot be looked at now, restart looks at again. A service that
 * goes down late stays "asked". */
static bool obeyed_late(const rsm__entry *entry) {
  rsm__process *process;
  if (entry->fate != RSM__FATE_ALIVE || entry->service.name) return false;
  rsm_status status = rsm__process_open(&entry->app.process, &process, NULL);
  if (status != RSM_OK) return status == RSM_NOT_FOUND || rsm__is_shortage(status);
  bool alive = rsm__process_alive(process);
  rsm__process_close(process);
  return !alive;
}

bool rsm__journal_owes(const rsm__journal *journal) {
  for (size_t i = 0; i < journal->count; i++) {
    const rsm__entry *entry = journal->entries[i];
    if (entry->fate == RSM__FATE_STOPPED || entry->fate == RSM__FATE_ASKED || obeyed_late(entry)) return true;
  }
  return false;
}

static bool was_asked(const rsm__entry *entry) {
  return entry->fate != RSM__FATE_PLANNED && entry->fate != RSM__FATE_GONE;
}

static bool round_was_asked(const rsm__journal *journal, uint32_t round) {
  for (size_t i = 0; i < journal->count; i++)
    if (journal->entries[i]->round == round && was_asked(journal->entries[i])) return true;
  return false;
}

/* One entry: has it ended? If it was asked not long ago, its ending is waited for. */
static rsm_status settle_one(rsm__journal *journal, rsm__entry *entry, rsm__task *task, bool wait, rsm_error *reterr) {
  rsm__process *process;
  rsm_status status = rsm__process_open(&entry->app.process, &process, reterr);
  if (status == RSM_NOT_FOUND) return rsm__journal_mark(journal, entry, RSM__FATE_STOPPED, reterr);
  if (status != RSM_OK) return status;
  bool ended = false;
  if (wait && entry->fate == RSM__FATE_ASKED)
    rsm__wait_any(&process, 1, entry->asked_at + entry->grace_ms, task, &ended);
  ended = !rsm__process_alive(process);
  rsm__process_close(process);
  if (ended) return rsm__journal_mark(journal, entry, RSM__FATE_STOPPED, reterr);
  if (wait && entry->fate == RSM__FATE_ASKED && !(task && rsm__task_cancelled(task)))
    return rsm__journal_mark(journal, entry, RSM__FATE_ALIVE, reterr);
  return RSM_OK;
}

/* Waits while the service is said to run although it was asked: its manager stops what depends on it first. */
static rsm_status settle_service(rsm__journal *journal, rsm__entry *entry, rsm__services *services, rsm__task *task,
                                 bool wait, rsm_error *reterr) {
  uint64_t until = wait && entry->fate == RSM__FATE_ASKED ? entry->asked_at + entry->grace_ms : 0;
  for (;;) {
    rsm__service_activity activity = RSM__SERVICE_DOWN;
    rsm_status status = rsm__service_look(services, &entry->service, &activity, reterr);
    if (status != RSM_OK && status != RSM_NO_SUCH_SERVICE) return status;
    bool in_time = rsm__clock_ms() < until && !(task && rsm__task_cancelled(task));
    if (activity == RSM__SERVICE_DOWN || (activity != RSM__SERVICE_RUNNING && !in_time))
      return rsm__journal_mark(journal, entry, RSM__FATE_STOPPED, reterr);
    if (!in_time && until && !(task && rsm__task_cancelled(task)))
      return rsm__journal_mark(journal, entry, RSM__FATE_ALIVE, reterr);
    if (!in_time) return RSM_OK;
    rsm__services_wait(services, until);
  }
}

static void free_services(rsm__services **services) {
  *services = rsm__services_free(*services);
}

static bool is_open_question(const rsm__journal *journal, const rsm__entry *entry) {
  return entry->fate == RSM__FATE_ASKED || entry->fate == RSM__FATE_ALIVE ||
         (entry->fate == RSM__FATE_PLANNED && round_was_asked(journal, entry->round));
}

rsm_status rsm__journal_settle(rsm__journal *journal, rsm__task *task, bool wait, rsm_error *reterr) {
  RSM_CLEAN(free_services) rsm__services *services = NULL;
  rsm_status status = RSM_OK;
  for (size_t i = 0; status == RSM_OK && i < journal->count; i++) {
    rsm__entry *entry = journal->entries[i];
    if (!is_open_question(journal, entry)) continue;
    if (entry->service.name && !services) status = rsm__services_new(task, &services, reterr);
    if (status == RSM_OK && entry->service.name)
      status = settle_service(journal, entry, services, task, wait, reterr);
    else if (status == RSM_OK)
      status = settle_one(journal, entry, task, wait, reterr);
  }
  return status;
}
