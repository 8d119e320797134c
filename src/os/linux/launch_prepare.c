/* launch_prepare.c: arguments, environment, descriptors and rights for a start, made while there is still a whole
 * process to make them in. Blocks: only opening /etc/passwd and the terminal (never waits: O_NONBLOCK).
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os/linux/launch_prepare.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "os/linux/fd.h"
#include "os/linux/os_error.h"
#include "os/linux/private_file.h"
#include "os/linux/procfs.h"

static const char USER_PATH[] = "PATH=/usr/local/bin:/usr/bin:/bin";
static const char ROOT_PATH[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* ---- Arguments and environment ---- */

static rsm_status prepare_arguments(const rsm__launch_request *request, rsm__arena *arena,
                                    rsm__launch_prepared *prepared, rsm_error *reterr) {
  const rsm__capture *capture = &prepared->capture;
  size_t count = request->args ? request->arg_count : capture->argc ? capture->argc - 1 : 0;
  const char *const *args = request->args ? request->args : capture->argv + 1;
  const char **argv = rsm__arena_alloc(arena, (count + 2) * sizeof *argv);
  if (!argv) return rsm__fail_memory(reterr);
  argv[0] = capture->argc ? capture->argv[0] : capture->exe;
  for (size_t i = 0; i < count; i++) argv[i + 1] = args[i];
  prepared->plan.argv = (char *const *)argv;
  return RSM_OK;
}

static const char *assign(rsm__arena *arena, const char *name, const char *value) {
  size_t size = strlen(name) + strlen(value) + 2;
  char *text = rsm__arena_alloc(arena, size);
  if (text) snprintf(text, size, "%s=%s", name, value);
  return text;
}

static void close_stream(FILE **stream) {
  if (*stream) fclose(*stream);
}

/* The account file only: a directory service that does not answer must not hold up a restart. */
static bool find_account(uint32_t uid, struct passwd *account, char *texts, size_t size) {
  RSM_CLEAN(close_stream) FILE *file = fopen("/etc/passwd", "re");
  struct passwd *found = NULL;
  while (file && fgetpwent_r(file, account, texts, size, &found) == 0)
    if (found->pw_uid == uid) return true;
  return false;
}

/* What a login would give at least, where its own environment is not known. */
static rsm_status minimal_environment(rsm__arena *arena, rsm__launch_prepared *prepared, rsm_error *reterr) {
  enum { VARIABLES = 5 };
  struct passwd account;
  char texts[4096];
  uint32_t uid = prepared->capture.uid[1];
  const char **environment = rsm__arena_alloc(arena, (VARIABLES + 1) * sizeof *environment);
  if (!environment) return rsm__fail_memory(reterr);
  size_t count = 0;
  environment[count++] = uid == 0 ? ROOT_PATH : USER_PATH;
  if (find_account(uid, &account, texts, sizeof texts)) {
    environment[count++] = assign(arena, "HOME", account.pw_dir);
    environment[count++] = assign(arena, "USER", account.pw_name);
    environment[count++] = assign(arena, "LOGNAME", account.pw_name);
    environment[count++] = assign(arena, "SHELL", account.pw_shell[0] ? account.pw_shell : "/bin/sh");
  } else {
    environment[count++] = assign(arena, "HOME", "/");
  }
  for (size_t i = 0; i < count; i++)
    if (!environment[i]) return rsm__fail_memory(reterr);
  prepared->plan.environment = (char *const *)environment;
  return RSM_OK;
}

static rsm_status prepare_environment(rsm__arena *arena, rsm__launch_prepared *prepared, rsm_error *reterr) {
  if (!prepared->capture.has_environment) return minimal_environment(arena, prepared, reterr);
  prepared->plan.environment = (char *const *)prepared->capture.environment;
  return RSM_OK;
}

/* ---- Whom it runs as ---- */

static bool same_ids(const uint32_t captured[3], const uint32_t ours[4]) {
  return captured[0] == ours[RSM__REAL] && captured[1] == ours[RSM__EFFECTIVE] && captured[2] == ours[RSM__SAVED];
}

/* Root becomes the user; anybody else must be it, in user, groups and all. A set-user-ID program's numbers differ from
 * ours only until exec, but then it was started by a user that we are not, or by exec of a program that we did not see.
 */
static rsm_status prepare_identity(rsm__arena *arena, rsm__launch_prepared *prepared, rsm_error *reterr) {
  const rsm__capture *capture = &prepared->capture;
  rsm__launch_plan *plan = &prepared->plan;
  RSM_CLEAN_FD int self = open("/proc/thread-self", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (self < 0) return rsm__fail_errno(reterr, errno, "open", "/proc/thread-self");
  rsm__proc_status ours = {0};
  rsm_status status = rsm__procfs_status(self, arena, &ours, reterr);
  if (status != RSM_OK) return status;
  bool same_groups =
      ours.group_count == capture->group_count &&
      (ours.group_count == 0 || memcmp(ours.groups, capture->groups, ours.group_count * sizeof *ours.groups) == 0);
  plan->set_user = !same_ids(capture->uid, ours.uid);
  plan->set_group = !same_ids(capture->gid, ours.gid);
  plan->set_groups = !same_groups;
  if (ours.uid[RSM__EFFECTIVE] == 0 || !(plan->set_user || plan->set_group || plan->set_groups)) return RSM_OK;
  return rsm__fail(reterr, RSM_ACCESS_DENIED, capture->exe, "ran as uid %u, gid %u; only root may start it so",
                   (unsigned)capture->uid[1], (unsigned)capture->gid[1]);
}

/* The child's pid must mean the same to us: a process that has unshared its children's pid namespace cannot start any.
 */
static rsm_status check_namespace(rsm_error *reterr) {
  struct stat ours, children;
  if (stat("/proc/self/ns/pid", &ours) < 0 || stat("/proc/self/ns/pid_for_children", &children) < 0 ||
      (ours.st_dev == children.st_dev && ours.st_ino == children.st_ino))
    return RSM_OK;
  return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL, "programs that we start would run in another pid namespace");
}

/* ---- Descriptors ---- */

int rsm__launch_above_streams(int *fd) {
  if (*fd < 0 || *fd > 2) return rsm__fd_take(fd);
  int copy = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
  rsm__fd_close(fd);
  return copy;
}

static int open_above_streams(const char *path, int flags) {
  int fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
  return rsm__launch_above_streams(&fd);
}

/* A caller's descriptor, or our own copy of it above 2; the lock and the record belong to the open file: a copy will
 * do. */
static int above_streams_copy(int fd, int *own) {
  if (fd > 2) return fd;
  return *own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* A terminal's name is given to the next one at once: only the same device, owner and time of creation are the same
 * one. Compared as opened. -1: another one, or none. */
static int open_terminal(const rsm__capture_terminal *terminal) {
  if (!terminal->path || strncmp(terminal->path, "/dev/", 5) != 0 || strstr(terminal->path, "/../")) return -1;
  RSM_CLEAN_FD int fd = open_above_streams(terminal->path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode)) return -1;
  if (st.st_rdev != terminal->device || st.st_uid != terminal->owner ||
      (uint64_t)st.st_ctim.tv_sec != terminal->changed_s || (uint32_t)st.st_ctim.tv_nsec != terminal->changed_ns)
    return -1;
  int flags = fcntl(fd, F_GETFL);
  if (!isatty(fd) || flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0) return -1;
  return rsm__fd_take(&fd);
}

static rsm_status prepare_streams(const rsm__launch_request *request, rsm__launch_prepared *prepared,
                                  rsm_error *reterr) {
  rsm__launch_plan *plan = &prepared->plan;
  const rsm__capture_terminal *terminal = &prepared->capture.terminal;
  plan->input = open_above_streams("/dev/null", O_RDWR);
  if (plan->input < 0) return rsm__fail_errno(reterr, errno, "open", "/dev/null");
  int screen = open_terminal(terminal);
  plan->output = screen >= 0 && (terminal->streams & RSM__OUTPUT_TERMINAL) ? screen : plan->input;
  plan->error = screen >= 0 && (terminal->streams & RSM__ERROR_TERMINAL) ? screen : plan->input;
  if (plan->output != screen && plan->error != screen) rsm__fd_close(&screen);
  plan->record = above_streams_copy(rsm__file_descriptor(request->record), &prepared->own_record);
  if (request->lock) plan->lock = above_streams_copy(rsm__lock_descriptor(request->lock), &prepared->own_lock);
  if (plan->record < 0 || (request->lock && plan->lock < 0)) return rsm__fail_errno(reterr, errno, "fcntl", NULL);
  struct stat st;
  if (fstat(plan->record, &st) < 0) return rsm__fail_errno(reterr, errno, "fstat", NULL);
  if (st.st_size != 0) return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "the record of a start must be a new file");
  return RSM_OK;
}

/* ---- All of it ---- */

rsm_status rsm__launch_prepare(const rsm__launch_request *request, rsm__arena *arena,
                               rsm__launch_prepared *ret_prepared, rsm_error *reterr) {
  rsm__launch_prepared *prepared = ret_prepared;
  *prepared = (rsm__launch_prepared){.own_record = -1, .own_lock = -1};
  prepared->plan = (rsm__launch_plan){.capture = &prepared->capture,
                                      .socket = -1,
                                      .parent_socket = -1,
                                      .record = -1,
                                      .lock = -1,
                                      .input = -1,
                                      .output = -1,
                                      .error = -1};
  if (!rsm__capture_decode(request->capture, request->capture_length, arena, &prepared->capture))
    return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "what was recorded of the application is not understood");
  /* Here, too: the sets of rights of another user namespace would be real ones in ours. */
  if (prepared->capture.obstacle)
    return rsm__fail(reterr, RSM_NOT_SUPPORTED, prepared->capture.exe, "%s", prepared->capture.obstacle);
  if (!prepared->capture.exe || !prepared->capture.directory)
    return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL, "its program or its directory could not be read when it ran");
  rsm_status status = check_namespace(reterr);
  if (status == RSM_OK) status = prepare_identity(arena, prepared, reterr);
  if (status == RSM_OK) status = prepare_arguments(request, arena, prepared, reterr);
  if (status == RSM_OK) status = prepare_environment(arena, prepared, reterr);
  if (status == RSM_OK) status = prepare_streams(request, prepared, reterr);
  return status;
}

void rsm__launch_prepared_done(rsm__launch_prepared *prepared) {
  rsm__launch_plan *plan = &prepared->plan;
  int screen = plan->output != plan->input ? plan->output : plan->error != plan->input ? plan->error : -1;
  rsm__fd_close(&screen);
  rsm__fd_close(&plan->input);
  rsm__fd_close(&prepared->own_record);
  rsm__fd_close(&prepared->own_lock);
}
