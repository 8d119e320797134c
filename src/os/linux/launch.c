/* launch.c: the starter's side: forks the child, takes hold of it, puts it where the program is to run, names it in the
 * record, which tells it to go, and hears how it went.
 *
 * Whatever dies in between, the record and the world agree. Before the record is sent the child waits for it, and ends
 * when we do: nothing was started. Once it is sent the child goes on without us: it writes it itself, just before exec.
 * The race that remains: a stranger's SIGKILL that hits the child between those two is seen as a program that was
 * started and ended at once.
 *
 * call             | purpose                     | blocks
 * poll             | messages of the child       | at most 10 s in all; then the child is killed
 * rsm__scope_start | a unit of its own for it    | as scope.h says
 * waitid           | intermediate child's end    | not: its pidfd has said that it has ended
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os/launch.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "os/clock.h"
#include "os/linux/fd.h"
#include "os/linux/launch_hooks.h"
#include "os/linux/launch_place.h"
#include "os/linux/launch_prepare.h"
#include "os/linux/os_error.h"
#include "os/wait.h"

enum { KILL_LIMIT_MS = 5000, LOOK_MS = 500, DEAF_NS = 5000000 };
enum { BY_PIDFD = 3 }; /* P_PIDFD, which older C libraries do not name */

#ifdef RSM_TEST_HOOKS
void (*rsm__launch_hook_function)(int hook);
int rsm__launch_limit_ms = RSM__LAUNCH_LIMIT_MS;
#endif

static const uint32_t RECORD_MAGIC = 0x504d5352; /* "RSMP" */

/* ---- The record ---- */

bool rsm__launch_record(const void *data, size_t length, rsm_process *ret_process) {
  rsm__cursor from = {.data = data, .length = length};
  if (length != RSM__LAUNCH_RECORD_SIZE) return false;
  if (rsm__cursor_u32(&from) != RECORD_MAGIC || rsm__cursor_u32(&from) != RSM__LAUNCH_RECORD_SIZE) return false;
  rsm_process process = {.pid = rsm__cursor_u32(&from)};
  process.start_time = rsm__cursor_u64(&from);
  process.instance = rsm__cursor_u64(&from);
  if (rsm__cursor_u32(&from) != rsm__crc32c(data, RSM__LAUNCH_RECORD_SIZE - 4) || process.pid == 0) return false;
  *ret_process = process;
  return true;
}

static bool encode_record(const rsm_process *process, rsm__buffer *to) {
  rsm__buffer_put_u32(to, RECORD_MAGIC);
  rsm__buffer_put_u32(to, RSM__LAUNCH_RECORD_SIZE);
  rsm__buffer_put_u32(to, process->pid);
  rsm__buffer_put_u64(to, process->start_time);
  rsm__buffer_put_u64(to, process->instance);
  if (!to->failed) rsm__buffer_put_u32(to, rsm__crc32c(to->data, to->length));
  return !to->failed;
}

static bool record_is_complete(int fd) {
  unsigned char record[RSM__LAUNCH_RECORD_SIZE + 1];
  rsm_process process;
  ssize_t length = pread(fd, record, sizeof record, 0);
  return length > 0 && rsm__launch_record(record, (size_t)length, &process);
}

/* ---- One start ---- */

typedef struct starting {
  rsm__launch_prepared prepared;
  int socket;            /* our end */
  int intermediate;      /* pidfd of our child, which forks the other and ends; -1: reaped */
  rsm__process *process; /* the one that runs the program */
  uint64_t deadline;
} starting;

static void reap(starting *start) {
  if (start->intermediate < 0) return;
  /* It ends by itself after one fork; if somebody stops it, it is killed. __WALL: its end sends no signal. */
  struct pollfd ended = {.fd = start->intermediate, .events = POLLIN};
  uint64_t now = rsm__clock_ms();
  int left = start->deadline > now ? (int)(start->deadline - now) : 0;
  if (poll(&ended, 1, left) <= 0) syscall(SYS_pidfd_send_signal, start->intermediate, SIGKILL, NULL, 0);
  siginfo_t info;
  while (waitid((idtype_t)BY_PIDFD, (id_t)start->intermediate, &info, WEXITED | __WALL) < 0 && errno == EINTR)
    ;
  rsm__fd_close(&start->intermediate);
}

static void starting_done(starting *start) {
  rsm__fd_close(&start->socket); /* a child that still waits for its word ends now */
  reap(start);
  rsm__fd_close(&start->prepared.plan.socket);
  rsm__launch_prepared_done(&start->prepared);
  start->process = rsm__process_close(start->process);
}

static rsm_status open_sockets(starting *start, rsm_error *reterr) {
  int pair[2];
  /* Packets keep messages apart; a socket, unlike a pipe, lets us write to a dead child without a SIGPIPE. */
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return rsm__fail_errno(reterr, errno, "socketpair", NULL);
  start->socket = rsm__launch_above_streams(&pair[0]);
  start->prepared.plan.socket = rsm__launch_above_streams(&pair[1]);
  start->prepared.plan.parent_socket = start->socket;
  if (start->socket < 0 || start->prepared.plan.socket < 0) return rsm__fail_errno(reterr, errno, "fcntl", NULL);
  return RSM_OK;
}

static rsm_status fork_child(starting *start, rsm_error *reterr) {
  sigset_t all, before;
  sigfillset(&all);
  /* None of the host's handlers may run in the child. */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t pid = rsm__launch_fork(0, &start->intermediate);
  if (pid == 0) rsm__launch_child(&start->prepared.plan);
  int code = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  rsm__fd_close(&start->prepared.plan.socket); /* only the child has it now: its end tells us that exec has closed it */
  return pid < 0 ? rsm__fail_errno(reterr, code, "clone3", NULL) : RSM_OK;
}

/* RSM_OK with ret_message->step RSM__STEP_COUNT: the other end is closed. */
static rsm_status receive(starting *start, uint64_t until, rsm__launch_message *ret_message, rsm_error *reterr) {
  for (;;) {
    uint64_t now = rsm__clock_ms();
    struct pollfd ready = {.fd = start->socket, .events = POLLIN};
    int left = until > now ? (int)(until - now) : 0;
    int count = poll(&ready, 1, left);
    rsm__launch_message message = {0};
    ssize_t length = count > 0 ? recv(start->socket, &message, sizeof message, MSG_DONTWAIT) : -1;
    if (count > 0 && (length >= 0 || errno == ECONNRESET)) {
      if (length != sizeof message) message = (rsm__launch_message){.step = RSM__STEP_COUNT};
      *ret_message = message;
      return RSM_OK;
    }
    if (count == 0 || now >= until)
      return rsm__fail(reterr, RSM_TIMEOUT, NULL, "did not start within %d s", rsm__launch_limit_ms / 1000);
    /* That we cannot hear just now (no memory for poll) says nothing about a child that may be running by then. */
    if (errno != EINTR) nanosleep(&(struct timespec){.tv_nsec = DEAF_NS}, NULL);
  }
}

/* ---- What failed, in words ---- */

static rsm_status fail_step(const starting *start, const rsm__launch_message *message, rsm_error *reterr) {
  static const struct {
    const char *call, *words;
  } texts[RSM__STEP_COUNT] = {
      [RSM__STEP_FORK] = {"clone3", "no process could be made for it"},
      [RSM__STEP_STREAMS] = {"dup2", "its input and output could not be set"},
      [RSM__STEP_UMASK] = {"umask", "its file mode mask could not be set"},
      [RSM__STEP_BOUNDING] = {"prctl", "the rights that it may never get could not be taken from it"},
      [RSM__STEP_GROUPS] = {"setgroups", "its groups could not be set"},
      [RSM__STEP_GROUP] = {"setresgid", "its group could not be set"},
      [RSM__STEP_USER] = {"setresuid", "it could not be made its user's"},
      [RSM__STEP_CAPABILITIES] = {"capset", "its rights could not be set"},
      [RSM__STEP_NO_NEW_PRIVS] = {"prctl", "it could not be kept from gaining rights"},
      [RSM__STEP_DIRECTORY] = {"chdir", "its working directory cannot be entered"},
      [RSM__STEP_RECORD] = {"write", "its start could not be recorded"},
      [RSM__STEP_EXEC] = {"execve", "its program cannot be run"},
  };
  const rsm__capture *capture = &start->prepared.capture;
  if (message->step >= RSM__STEP_COUNT || !texts[message->step].words)
    return rsm__fail(reterr, RSM_GEN_FAILURE, capture->exe, "ended before it could run its program");
  const char *subject = message->step == RSM__STEP_DIRECTORY ? capture->directory : capture->exe;
  rsm_status status = rsm__fail_errno(reterr, message->value, texts[message->step].call, subject);
  rsm__error_explain(reterr, "%s", texts[message->step].words);
  return status;
}

/* ---- The conversation ---- */

static rsm_status say(const starting *start, const void *word, size_t length, rsm_error *reterr) {
  ssize_t sent = send(start->socket, word, length, MSG_NOSIGNAL);
  int code = errno;
  if (sent == (ssize_t)length) return RSM_OK;
  return rsm__fail(reterr, RSM_GEN_FAILURE, start->prepared.capture.exe,
                   "ended before it could run its program (send: error %d)", code);
}

/* RSM_OK: the child has come that far. */
static rsm_status hear(starting *start, rsm__launch_step wanted, rsm__launch_message *ret_message, rsm_error *reterr) {
  rsm__launch_message message = {0};
  for (;;) {
    rsm_status status = receive(start, start->deadline, &message, reterr);
    if (status != RSM_OK) return status;
    if (message.step != RSM__STEP_NOTE) break;
    start->prepared.notes |= (uint32_t)message.value;
  }
  if (message.step != wanted) return fail_step(start, &message, reterr);
  *ret_message = message;
  return RSM_OK;
}

/* The child has told its pid and waits, with our rights: so it is alive, nobody else may end it, and the pid is its own
 * when we take hold of it. */
static rsm_status take_hold(starting *start, rsm_error *reterr) {
  rsm__launch_message message;
  rsm_status status = hear(start, RSM__STEP_PID, &message, reterr);
  if (status != RSM_OK) return status;
  if (message.value <= 0) return fail_step(start, &message, reterr);
  rsm__launch_hook(RSM__HOOK_PID_KNOWN);
  rsm_process id = {.pid = (uint32_t)message.value};
  status = rsm__process_open(&id, &start->process, reterr);
  return status == RSM_OK ? say(start, "", 1, reterr) : status;
}

static rsm_status send_record(starting *start, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer record = {0};
  if (!encode_record(rsm__process_id(start->process), &record)) return rsm__fail_memory(reterr);
  rsm__launch_hook(RSM__HOOK_BEFORE_GO);
  rsm_status status = say(start, record.data, record.length, reterr);
  rsm__launch_hook(RSM__HOOK_AFTER_GO);
  return status;
}

/* Has exec closed the child's end? Asked when that end seems open for long: a process that our host forked while we
 * held it keeps a copy, and would let us take a running program for a hanging one. */
static bool has_run(const starting *start, int child_socket) {
  char path[64];
  struct stat st;
  snprintf(path, sizeof path, "/proc/%u/fd/%d", (unsigned)rsm__process_id(start->process)->pid, child_socket);
  return fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT &&
         rsm__process_alive(start->process) && record_is_complete(start->prepared.plan.record);
}

/* After the word to go: until the other end closes. */
static rsm_status hear_out(starting *start, int child_socket, rsm_error *reterr) {
  rsm__launch_message message = {0};
  rsm_status status;
  do {
    uint64_t look = rsm__clock_ms() + LOOK_MS;
    status = receive(start, look < start->deadline ? look : start->deadline, &message, reterr);
    if (status == RSM_TIMEOUT && has_run(start, child_socket)) return RSM_OK;
  } while (status == RSM_TIMEOUT && rsm__clock_ms() < start->deadline);
  if (status != RSM_OK) return status;
  if (message.step == RSM__STEP_COUNT && record_is_complete(start->prepared.plan.record)) return RSM_OK;
  return fail_step(start, &message, reterr);
}

/* Nothing runs after a failure, and the record says so: a child that was let go is killed first. */
static void undo(starting *start) {
  rsm__fd_close(&start->socket);
  /* A set-user-ID program is not ours to kill: then its record stays, and says that it runs. */
  rsm_status killed = start->process ? rsm__process_kill(start->process, NULL) : RSM_NOT_FOUND;
  if (killed == RSM_OK) rsm__wait_any(&start->process, 1, rsm__clock_ms() + KILL_LIMIT_MS, NULL, NULL);
  if (killed != RSM_OK && killed != RSM_NOT_FOUND) return;
  /* Can fail only on a broken disk; then the record is that of a process that has ended. */
  while (ftruncate(start->prepared.plan.record, 0) < 0 && errno == EINTR)
    ;
}

static rsm_status converse(starting *start, int child_socket, rsm_error *reterr) {
  rsm__launch_message message;
  bool beside_us = false;
  rsm_status status = take_hold(start, reterr);
  if (status == RSM_OK) status = hear(start, RSM__STEP_READY, &message, reterr);
  if (status == RSM_OK) status = rsm__launch_place(&start->prepared.capture, start->process, &beside_us, reterr);
  if (beside_us) start->prepared.notes |= RSM__NOTE_GROUP;
  if (status == RSM_OK) status = send_record(start, reterr);
  if (status == RSM_OK) status = hear_out(start, child_socket, reterr);
  rsm__launch_hook(RSM__HOOK_HEARD);
  return status;
}

static rsm_status write_note(uint32_t notes, rsm__arena *arena, const char **ret_note, rsm_error *reterr) {
  static const char *const words[] = {"in the installer's group", "at the installer's priority",
                                      "with the installer's resource limits"};
  char text[128];
  size_t length = 0;
  *ret_note = NULL;
  for (size_t i = 0; i < RSM_COUNT(words); i++)
    if (notes >> i & 1)
      length += (size_t)snprintf(text + length, sizeof text - length, "%s%s", length ? ", " : "", words[i]);
  if (length && !(*ret_note = rsm__arena_copy(arena, text, length))) return rsm__fail_memory(reterr);
  return RSM_OK;
}

rsm_status rsm__launch_start(const rsm__launch_request *request, rsm__arena *arena, rsm__launched *ret_launched,
                             rsm_error *reterr) {
  RSM_CLEAN(starting_done)
  starting start = {.socket = -1,
                    .intermediate = -1,
                    .deadline = rsm__clock_ms() + (uint64_t)rsm__launch_limit_ms,
                    .prepared.plan.socket = -1};
  rsm_status status = rsm__launch_prepare(request, arena, &start.prepared, reterr);
  if (status == RSM_OK) status = open_sockets(&start, reterr);
  if (status != RSM_OK) return status;
  int child_socket = start.prepared.plan.socket;
  rsm__launch_hook(RSM__HOOK_BEFORE_FORK);
  status = fork_child(&start, reterr);
  if (status == RSM_OK) {
    rsm__launch_hook(RSM__HOOK_AFTER_FORK);
    status = converse(&start, child_socket, reterr);
    if (status != RSM_OK) undo(&start);
  }
  if (status != RSM_OK) return status;
  const char *note = NULL;
  /* No memory is not a failure any more: the program runs. */
  if (write_note(start.prepared.notes, arena, &note, NULL) != RSM_OK) note = NULL;
  *ret_launched = (rsm__launched){.process = *rsm__process_id(start.process), .note = note};
  return RSM_OK;
}
