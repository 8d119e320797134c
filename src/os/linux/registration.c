/* registration.c: a process' wish to be started again: the file registered/PID-STARTTIME in its user's private folder.
 *
 * It says who wrote it (boot, pid namespace, pid, start time, program); the folder's owner, not the file, says as whom.
 * So nobody can speak for another user's process, and a file that outlived its process, or that a process before exec
 * wrote, counts for nobody. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os/registration.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "os/linux/fd.h"
#include "os/linux/process_handle.h"
#include "os/linux/procfs.h"
#include "os/private_dir.h"

enum { MAX_CONTENT = 64 << 10, MAX_SWEPT = 4096, NAME_SIZE = 48, MAX_COMMAND_LINE = 8 << 20, MOST_FOLDERS = 16 };

static const uint32_t MAGIC = 0x47455252; /* "RREG" */
static const uint32_t VERSION = 1;
static const char FOLDER[] = "registered";
static const uint32_t KNOWN_FLAGS =
    RSM_RESTART_NO_CRASH | RSM_RESTART_NO_HANG | RSM_RESTART_NO_PATCH | RSM_RESTART_NO_REBOOT;

typedef struct record {
  rsm_process process;
  rsm__here here;
  rsm__registration wish;
} record;

static void close_dir(rsm__dir **dir) {
  *dir = rsm__dir_close(*dir);
}

static const char *file_name(const rsm_process *process, char name[NAME_SIZE]) {
  snprintf(name, NAME_SIZE, "%u-%llu", (unsigned)process->pid, (unsigned long long)process->start_time);
  return name;
}

/* ---- The content ---- */

static void encode(const record *content, rsm__buffer *to) {
  rsm__buffer_put_u32(to, MAGIC);
  rsm__buffer_put_u32(to, VERSION);
  rsm__buffer_put_u32(to, content->process.pid);
  rsm__buffer_put_u64(to, content->process.start_time);
  rsm__buffer_put_u64(to, content->process.instance);
  rsm__buffer_put_text(to, content->here.boot);
  rsm__buffer_put_u64(to, content->here.pid_namespace);
  rsm__buffer_put_text(to, content->wish.exe);
  rsm__buffer_put_u32(to, content->wish.flags);
  rsm__buffer_put_texts(to, content->wish.args, content->wish.arg_count);
  if (!to->failed) rsm__buffer_put_u32(to, rsm__crc32c(to->data, to->length));
}

static bool get_here(rsm__cursor *from, rsm__arena *arena, rsm__here *here) {
  const char *boot = rsm__cursor_text(from, arena);
  here->pid_namespace = rsm__cursor_u64(from);
  if (!boot || strlen(boot) >= sizeof here->boot) return false;
  snprintf(here->boot, sizeof here->boot, "%s", boot);
  return true;
}

static bool decode(const rsm__buffer *data, rsm__arena *arena, record *ret_content) {
  if (data->length < 4) return false;
  rsm__cursor from = {.data = data->data, .length = data->length - 4};
  rsm__cursor end = {.data = data->data + from.length, .length = 4};
  if (rsm__cursor_u32(&end) != rsm__crc32c(data->data, from.length)) return false;
  if (rsm__cursor_u32(&from) != MAGIC || rsm__cursor_u32(&from) != VERSION) return false;
  record content = {0};
  content.process.pid = rsm__cursor_u32(&from);
  content.process.start_time = rsm__cursor_u64(&from);
  content.process.instance = rsm__cursor_u64(&from);
  if (!get_here(&from, arena, &content.here)) return false;
  content.wish.exe = rsm__cursor_text(&from, arena);
  content.wish.flags = rsm__cursor_u32(&from);
  content.wish.args = rsm__cursor_texts(&from, arena, &content.wish.arg_count);
  if (from.failed || from.position != from.length || !content.wish.exe || !content.wish.args) return false;
  for (size_t i = 0; i < content.wish.arg_count; i++)
    if (!content.wish.args[i]) return false;
  if (content.wish.flags & ~KNOWN_FLAGS) return false;
  *ret_content = content;
  return true;
}

/* The file must say all that the caller knows of the process. */
static bool same_process(const rsm_process *a, const rsm_process *b) {
  return a->pid == b->pid && a->start_time == b->start_time &&
         (!a->instance || !b->instance || a->instance == b->instance);
}

static bool same_here(const rsm__here *a, const rsm__here *b) {
  return strcmp(a->boot, b->boot) == 0 && a->pid_namespace == b->pid_namespace;
}

/* ---- What may be registered ---- */

/* Length of one character: what is not whole UTF-8 counts as one a byte. */
static size_t character_length(const unsigned char *at) {
  size_t length = *at < 0x80                  ? 1
                  : *at >= 0xC2 && *at < 0xE0 ? 2
                  : *at >= 0xE0 && *at < 0xF0 ? 3
                  : *at >= 0xF0 && *at < 0xF5 ? 4
                                              : 1;
  for (size_t i = 1; i < length; i++)
    if ((at[i] & 0xC0) != 0x80) return 1;
  return length;
}

static size_t count_characters(const char *text) {
  size_t count = 0;
  for (const unsigned char *at = (const unsigned char *)text; *at; at += character_length(at)) count++;
  return count;
}

static rsm_status check_line(const char *const *args, size_t count, rsm_error *reterr) {
  size_t length = count ? count - 1 : 0; /* the blanks between them */
  for (size_t i = 0; i < count; i++) length += count_characters(args[i]);
  if (length <= RSM_RESTART_MAX_LINE) return RSM_OK;
  return rsm__fail(reterr, RSM_INVALID_PARAMETER, NULL, "the arguments are %zu characters long, at most %d are allowed",
                   length, RSM_RESTART_MAX_LINE);
}

/* ---- The folder ---- */

/* There is nothing at this place, or nothing that could be trusted; any other failure tells nothing about it. */
static bool says_none(rsm_status status) {
  return status == RSM_NOT_FOUND || status == RSM_FILE_NOT_FOUND || status == RSM_ACCESS_DENIED;
}

static rsm_status open_folder(uint32_t uid, unsigned place, bool create, rsm__dir **ret_dir, rsm_error *reterr) {
  RSM_CLEAN(close_dir) rsm__dir *home = NULL;
  rsm_status status = rsm__private_place_open(uid, place, create, &home, reterr);
  return status == RSM_OK ? rsm__dir_open(home, FOLDER, create, ret_dir, reterr) : status;
}

/* Is what the file tells of over for good? A process of another pid namespace cannot be asked after: it is left alone.
 */
static bool is_stale(rsm__dir *dir, const char *name, const rsm__here *here) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  RSM_CLEAN_BUFFER rsm__buffer data = {0};
  RSM_CLEAN_PROCESS rsm__process *process = NULL;
  record content;
  char expected[NAME_SIZE];
  rsm_status status = rsm__dir_read(dir, name, MAX_CONTENT, &data, NULL);
  if (status != RSM_OK) return status == RSM_MORE_DATA || status == RSM_ACCESS_DENIED;
  if (!decode(&data, &arena, &content)) return true;
  if (strcmp(content.here.boot, here->boot) != 0) return true;
  if (content.here.pid_namespace != here->pid_namespace) return false;
  if (strcmp(name, file_name(&content.process, expected)) != 0) return true;
  return rsm__process_open(&content.process, &process, NULL) == RSM_NOT_FOUND;
}

static void sweep(rsm__dir *dir, const rsm__here *here) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  const char *const *names = NULL;
  size_t count = 0;
  if (rsm__dir_names(dir, MAX_SWEPT, &arena, &names, &count, NULL) != RSM_OK) return;
  for (size_t i = 0; i < count; i++)
    if (is_stale(dir, names[i], here)) rsm__dir_remove(dir, names[i], NULL);
}

/* ---- This process ---- */

typedef struct self {
  rsm__process *process;
  int proc; /* /proc/PID */
  record content;
} self;

static void self_done(self *us) {
  us->process = rsm__process_close(us->process);
  rsm__fd_close(&us->proc);
}

static rsm_status open_self(self *us, rsm_error *reterr) {
  rsm_process id = {.pid = rsm__process_self()};
  rsm_status status = rsm__process_open(&id, &us->process, reterr);
  if (status == RSM_OK) status = rsm__process_open_proc(us->process, &us->proc, reterr);
  if (status == RSM_OK) status = rsm__process_here(&us->content.here, reterr);
  if (status == RSM_OK) us->content.process = *rsm__process_id(us->process);
  return status;
}

/* Ours as they are now: what exec was given, unless we have overwritten them. */
static rsm_status present_arguments(self *us, rsm__arena *arena, rsm_error *reterr) {
  static const char *const none[] = {NULL};
  const char *const *texts = NULL;
  size_t count = 0;
  rsm_status status = rsm__procfs_texts(us->proc, "cmdline", MAX_COMMAND_LINE, arena, &texts, &count, reterr);
  if (status != RSM_OK) return status;
  us->content.wish.args = count ? texts + 1 : none;
  us->content.wish.arg_count = count ? count - 1 : 0;
  return RSM_OK;
}

/* An older one in a better place would be found first. */
static rsm_status drop_in_better_places(const char *name, unsigned place, rsm_error *reterr) {
  for (unsigned better = 0; better < place; better++) {
    RSM_CLEAN(close_dir) rsm__dir *dir = NULL;
    RSM_CLEAN_BUFFER rsm__buffer data = {0};
    rsm_status status = open_folder((uint32_t)geteuid(), better, false, &dir, reterr);
    if (status == RSM_OK && rsm__dir_read(dir, name, MAX_CONTENT, &data, NULL) != RSM_FILE_NOT_FOUND)
      status = rsm__dir_remove(dir, name, reterr);
    if (status != RSM_OK && !says_none(status)) return status;
  }
  return RSM_OK;
}

static rsm_status write_first_place(self *us, const rsm__buffer *data, rsm_error *reterr) {
  rsm_status status = RSM_PENDING;
  char name[NAME_SIZE];
  rsm_error first = {0};
  for (unsigned place = 0;; place++) {
    RSM_CLEAN(close_dir) rsm__dir *dir = NULL;
    rsm_error why = {0};
    status = open_folder((uint32_t)geteuid(), place, true, &dir, &why);
    if (status == RSM_OK) {
      sweep(dir, &us->content.here);
      status = rsm__dir_write(dir, file_name(&us->content.process, name), data->data, data->length, &why);
      if (status == RSM_OK) return drop_in_better_places(name, place, reterr);
    }
    if (status == RSM_INVALID_PARAMETER) break;                   /* that was the last */
    if (place == 0 || first.status == RSM_NOT_FOUND) first = why; /* one that is refused says more than one not there */
    if (rsm__is_shortage(status)) break;
  }
  if (reterr) *reterr = first;
  return first.status;
}

rsm_status rsm__registration_set(const char *const *args, size_t count, uint32_t flags, rsm_error *reterr) {
  if (flags & ~KNOWN_FLAGS)
    return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "unknown flags 0x%x", (unsigned)(flags & ~KNOWN_FLAGS));
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  RSM_CLEAN(self_done) self us = {.proc = -1};
  rsm_status status = open_self(&us, reterr);
  us.content.wish = (rsm__registration){.args = args, .arg_count = count, .flags = flags};
  if (status == RSM_OK && !args) status = present_arguments(&us, &arena, reterr);
  if (status == RSM_OK) status = check_line(us.content.wish.args, us.content.wish.arg_count, reterr);
  if (status == RSM_OK) status = rsm__procfs_exe(us.proc, &arena, &us.content.wish.exe, reterr);
  if (status != RSM_OK) return status;
  RSM_CLEAN_BUFFER rsm__buffer data = {0};
  encode(&us.content, &data);
  if (data.failed) return rsm__fail_memory(reterr);
  return write_first_place(&us, &data, reterr);
}

rsm_status rsm__registration_clear(rsm_error *reterr) {
  RSM_CLEAN(self_done) self us = {.proc = -1};
  rsm_status status = open_self(&us, reterr);
  if (status != RSM_OK) return status;
  char name[NAME_SIZE];
  file_name(&us.content.process, name);
  bool found = false;
  for (unsigned place = 0;; place++) {
    RSM_CLEAN(close_dir) rsm__dir *dir = NULL;
    RSM_CLEAN_BUFFER rsm__buffer data = {0};
    status = open_folder((uint32_t)geteuid(), place, false, &dir, reterr);
    if (status == RSM_INVALID_PARAMETER) break;
    if (status != RSM_OK && !says_none(status)) return status;
    if (status != RSM_OK || rsm__dir_read(dir, name, MAX_CONTENT, &data, NULL) == RSM_FILE_NOT_FOUND) continue;
    status = rsm__dir_remove(dir, name, reterr);
    if (status != RSM_OK) return status;
    found = true;
  }
  return found ? RSM_OK : rsm__fail(reterr, RSM_NOT_FOUND, NULL, "this process was not registered");
}

/* ---- Other processes ---- */

/* A user's folder at one of the places where it may be. */
typedef struct known_folder {
  uint32_t uid;
  unsigned place;
  rsm_status status; /* of opening it */
  rsm__dir *dir;     /* NULL unless RSM_OK */
} known_folder;

struct rsm__registrations {
  rsm__here here;
  known_folder folders[MOST_FOLDERS];
  size_t count;
};

rsm_status rsm__registrations_new(rsm__registrations **ret_registrations, rsm_error *reterr) {
  rsm__registrations *fresh = rsm__calloc(1, sizeof *fresh);
  if (!fresh) return rsm__fail_memory(reterr);
  rsm_status status = rsm__process_here(&fresh->here, reterr);
  if (status == RSM_OK)
    *ret_registrations = fresh;
  else
    rsm__free(fresh);
  return status;
}

void rsm__registrations_free(rsm__registrations *registrations) {
  for (size_t i = 0; registrations && i < registrations->count; i++) close_dir(&registrations->folders[i].dir);
  rsm__free(registrations);
}

static void forget_oldest(rsm__registrations *known) {
  close_dir(&known->folders[0].dir);
  memmove(known->folders, known->folders + 1, --known->count * sizeof *known->folders);
}

/* *ret_dir stays the reader's, until the next call. A failure that may pass is not remembered. */
static rsm_status find_folder(rsm__registrations *known, uint32_t uid, unsigned place, rsm__dir **ret_dir,
                              rsm_error *reterr) {
  const known_folder *found = NULL;
  for (size_t i = 0; i < known->count && !found; i++)
    if (known->folders[i].uid == uid && known->folders[i].place == place) found = &known->folders[i];
  if (!found) {
    known_folder folder = {.uid = uid, .place = place};
    folder.status = open_folder(uid, place, false, &folder.dir, reterr);
    if (folder.status != RSM_OK && !says_none(folder.status)) return folder.status;
    if (known->count == MOST_FOLDERS) forget_oldest(known);
    known->folders[known->count] = folder;
    found = &known->folders[known->count++];
  }
  *ret_dir = found->dir;
  return found->status;
}

/* The process as whoever looks for its file must know it. */
typedef struct wanted {
  rsm_process id;
  uint32_t uid; /* effective */
  const char *exe;
} wanted;

/* RSM_PENDING: nothing that counts here. */
static rsm_status get_from_place(rsm__registrations *known, unsigned place, const wanted *process, rsm__arena *arena,
                                 rsm__registration *ret_registration, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer data = {0};
  char name[NAME_SIZE];
  record content;
  rsm__dir *dir = NULL;
  rsm_status status = find_folder(known, process->uid, place, &dir, reterr);
  if (status != RSM_OK) return says_none(status) ? RSM_PENDING : status;
  status = rsm__dir_read(dir, file_name(&process->id, name), MAX_CONTENT, &data, reterr);
  if (status != RSM_OK) return says_none(status) || status == RSM_MORE_DATA ? RSM_PENDING : status;
  if (!decode(&data, arena, &content) || !same_here(&content.here, &known->here)) return RSM_PENDING;
  if (!same_process(&content.process, &process->id) || strcmp(content.wish.exe, process->exe) != 0) return RSM_PENDING;
  *ret_registration = content.wish;
  return RSM_OK;
}

static rsm_status fail_none(const rsm_process *id, rsm_error *reterr) {
  return rsm__fail(reterr, RSM_NOT_FOUND, NULL, "process %u has not registered for restart", (unsigned)id->pid);
}

static rsm_status get_from_places(rsm__registrations *known, const wanted *process, rsm__arena *arena,
                                  rsm__registration *ret_registration, rsm_error *reterr) {
  rsm_status status = RSM_PENDING;
  for (unsigned place = 0; status == RSM_PENDING; place++)
    status = get_from_place(known, place, process, arena, ret_registration, reterr);
  return status == RSM_INVALID_PARAMETER ? fail_none(&process->id, reterr) : status; /* that was the last place */
}

rsm_status rsm__registrations_get(rsm__registrations *registrations, const rsm__process *process,
                                  const rsm__process_facts *facts, rsm__arena *arena,
                                  rsm__registration *ret_registration, rsm_error *reterr) {
  const wanted known = {.id = *rsm__process_id(process), .uid = facts->uid, .exe = facts->exe};
  /* A program that we may not look at cannot be shown to be the one that registered. */
  if (!known.exe) return fail_none(&known.id, reterr);
  return get_from_places(registrations, &known, arena, ret_registration, reterr);
}

/* Its effective user and its program. */
static rsm_status read_process(const rsm__process *process, rsm__arena *arena, wanted *ret_wanted, rsm_error *reterr) {
  RSM_CLEAN_FD int proc = -1;
  rsm__proc_status facts = {0};
  rsm_status status = rsm__process_open_proc(process, &proc, reterr);
  if (status == RSM_OK) status = rsm__procfs_status(proc, arena, &facts, reterr);
  if (status == RSM_OK) status = rsm__procfs_exe(proc, arena, &ret_wanted->exe, reterr);
  ret_wanted->id = *rsm__process_id(process);
  ret_wanted->uid = facts.uid[RSM__EFFECTIVE];
  return status;
}

rsm_status rsm__registration_get(const rsm__process *process, rsm__arena *arena, rsm__registration *ret_registration,
                                 rsm_error *reterr) {
  wanted found = {0};
  rsm__registrations *once = NULL;
  rsm_status status = rsm__registrations_new(&once, reterr);
  if (status != RSM_OK) return status;
  status = read_process(process, arena, &found, reterr);
  if (status == RSM_OK)
    status = get_from_places(once, &found, arena, ret_registration, reterr);
  else if (says_none(status))
    status = fail_none(rsm__process_id(process), reterr);
  rsm__registrations_free(once);
  return status;
}
