/* launch_capture.c: what a running process is like, and why it could not be made again from here.
 * SPDX-License-Identifier: MIT
 *
 * call                          | purpose                        | blocks on
 * open, read /proc/PID/cmdline, | arguments, environment         | a page fault in the process, its memory lock, its
 * environ                       |                                | exec
 * lstat                         | is it really "x (deleted)"?    | the mount of such a program or directory
 * getxattr /proc/PID/exe        | the program's capabilities     | the program's mount
 * fstatat /proc/PID/fd/1, 2     | the terminal                   | nothing, if it is one
 * all others                    |                                | nothing
 *
 * So it is done in a thread (reading.c), and if that was given up only what the process may do is told, with the
 * obstacle. Everything is read through /proc/PID, opened while the process' pidfd said that it lives; what the kernel
 * gives by pid alone (niceness) counts because it still lives after the last read. Texts that may not be read are left
 * out: the obstacle says so. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>

#include "os/launch.h"
#include "os/linux/capture.h"
#include "os/linux/fd.h"
#include "os/linux/os_error.h"
#include "os/linux/process_handle.h"
#include "os/linux/procfs.h"
#include "os/linux/reading.h"

enum { MAX_STATUS = 1 << 20, MAX_LINE = 64 << 10 };

typedef struct surroundings {
  rsm__proc_status status;
  uint64_t seccomp_filters; /* 0 where the kernel does not tell */
  char label[512];          /* of the security module; "" not readable */
} surroundings;

typedef struct capturing {
  int dir; /* /proc/PID */
  uint32_t pid;
  rsm__arena *arena;
  rsm__capture capture;
  surroundings theirs, ours;
} capturing;

/* The first that was found is told. */
static void obstruct(capturing *job, const char *words) {
  if (!job->capture.obstacle) job->capture.obstacle = words;
}

/* ---- Reading ---- */

/* RSM_OK also for what may not be read or is not there: only no memory and no descriptors are failures here. */
static rsm_status tolerate(rsm_status status) {
  return rsm__is_shortage(status) ? status : RSM_OK;
}

static rsm_status read_rights(int dir, rsm__arena *arena, surroundings *ret, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer text = {0};
  rsm_status status = rsm__procfs_read_one(dir, "status", MAX_STATUS, &text, reterr);
  if (status != RSM_OK) return status;
  const char *bytes = (const char *)text.data;
  if (!rsm__parse_status(bytes, text.length, arena, &ret->status))
    return rsm__fail(reterr, RSM_GEN_FAILURE, "status", "the kernel's description of the process is not understood");
  const char *value = NULL;
  size_t length = 0;
  if (!rsm__parse_line(bytes, text.length, "Seccomp_filters:", &value, &length) ||
      !rsm__parse_number(value, length, &ret->seccomp_filters))
    ret->seccomp_filters = 0;
  return RSM_OK;
}

static rsm_status read_label(int dir, surroundings *ret, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer label = {0};
  rsm_status status = rsm__procfs_read_one(dir, "attr/current", sizeof ret->label - 1, &label, reterr);
  if (status != RSM_OK) return tolerate(status);
  while (label.length && (label.data[label.length - 1] == '\n' || label.data[label.length - 1] == 0)) label.length--;
  snprintf(ret->label, sizeof ret->label, "%.*s", (int)label.length, (const char *)label.data);
  return RSM_OK;
}

/* A name that the kernel marks as deleted: the file that stands there now is the new version. A file whose own name
 * ends so exists. */
static const char *without_deleted(const char *path, rsm__arena *arena) {
  static const char mark[] = " (deleted)";
  struct stat st;
  size_t length = path ? strlen(path) : 0;
  if (length <= sizeof mark - 1 || strcmp(path + length - (sizeof mark - 1), mark) != 0) return path;
  return lstat(path, &st) == 0 ? path : rsm__arena_copy(arena, path, length - (sizeof mark - 1));
}

static rsm_status read_path(capturing *job, const char *name, const char **ret_path, rsm_error *reterr) {
  const char *path = NULL;
  rsm_status status = tolerate(rsm__procfs_link(job->dir, name, job->arena, &path, reterr));
  if (status != RSM_OK || !path || path[0] != '/') return status; /* "(unreachable)...": not in our tree */
  *ret_path = without_deleted(path, job->arena);
  return *ret_path ? RSM_OK : rsm__fail_memory(reterr);
}

/* Reads cmdline or environ, as they were when it was started unless it has overwritten them. */
static rsm_status read_texts(capturing *job, const char *name, const char *const **ret_texts, size_t *ret_count,
                             rsm_error *reterr) {
  rsm_status status =
      rsm__procfs_texts(job->dir, name, RSM__CAPTURE_MAX_TEXT, job->arena, ret_texts, ret_count, reterr);
  return status == RSM_MORE_DATA ? status : tolerate(status);
}

/* In the middle of exec the program is the new one already and its arguments are not there yet: look again. */
static rsm_status read_arguments(capturing *job, rsm_error *reterr) {
  enum { TRIES = 50, PAUSE_NS = 2000000 };
  rsm__capture *capture = &job->capture;
  rsm_status status = RSM_OK;
  for (int i = 0; i < (capture->exe ? TRIES : 1) && status == RSM_OK && capture->argc == 0; i++) {
    if (i > 0) nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    status = read_texts(job, "cmdline", &capture->argv, &capture->argc, reterr);
  }
  if (capture->argc == 0) obstruct(job, "its arguments cannot be read");
  return status;
}

static rsm_status read_environment(capturing *job, rsm_error *reterr) {
  const char *const *texts = NULL;
  size_t count = 0;
  rsm_status status = read_texts(job, "environ", &texts, &count, reterr);
  if (status != RSM_OK || !texts) return status;
  const char **kept = rsm__arena_alloc(job->arena, (count + 1) * sizeof *kept);
  if (!kept) return rsm__fail_memory(reterr);
  size_t kept_count = 0;
  for (size_t i = 0; i < count; i++)
    if (texts[i][0]) kept[kept_count++] = texts[i]; /* a program that shows a title there leaves empty ones */
  job->capture.environment = kept;
  job->capture.environment_count = kept_count;
  job->capture.has_environment = true;
  return RSM_OK;
}

static void copy_identity(capturing *job) {
  const rsm__proc_status *status = &job->theirs.status;
  rsm__capture *capture = &job->capture;
  for (int i = 0; i < 3; i++) {
    capture->uid[i] = status->uid[i];
    capture->gid[i] = status->gid[i];
  }
  capture->groups = status->groups;
  capture->group_count = status->group_count < RSM__CAPTURE_MAX_GROUPS ? status->group_count : RSM__CAPTURE_MAX_GROUPS;
  capture->cap_inheritable = status->cap_inheritable;
  capture->cap_permitted = status->cap_permitted;
  capture->cap_effective = status->cap_effective;
  capture->cap_bounding = status->cap_bounding;
  capture->cap_ambient = status->cap_ambient;
  capture->no_new_privs = status->no_new_privs;
  capture->umask = status->has_umask ? status->umask & 0777 : 022;
}

/* A number, or "unlimited". */
static bool parse_limit(const char **at, uint64_t *ret_limit) {
  size_t length;
  while (**at == ' ') (*at)++;
  length = strcspn(*at, " \n");
  if (length == 9 && strncmp(*at, "unlimited", 9) == 0)
    *ret_limit = RLIM_INFINITY;
  else if (!rsm__parse_number(*at, length, ret_limit))
    return false;
  *at += length;
  return true;
}

/* The kernel writes a head and then a line a limit, in the order of their numbers: 25 columns of words, soft, hard.
 * Unlike prlimit, which takes a right (CAP_SYS_RESOURCE) for another user's process, anybody may read it. */
static bool parse_limits(const char *text, rsm__capture *capture) {
  enum { WORDS = 25 };
  for (int i = 0; i < RSM__CAPTURE_LIMITS; i++) {
    text = strchr(text, '\n');
    if (!text || strcspn(text + 1, "\n") < WORDS) return false;
    text += 1;
    const char *at = text + WORDS;
    if (!parse_limit(&at, &capture->limits[i].soft) || !parse_limit(&at, &capture->limits[i].hard)) return false;
  }
  return true;
}

static rsm_status read_numbers(capturing *job, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer text = {0};
  rsm__capture *capture = &job->capture;
  rsm_status status = tolerate(rsm__procfs_read_one(job->dir, "limits", MAX_LINE, &text, reterr));
  if (status != RSM_OK) return status;
  capture->has_limits = text.data && parse_limits((const char *)text.data, capture);
  if (!capture->has_limits) obstruct(job, "its resource limits cannot be read");
  errno = 0;
  /* By pid: this process' only because it is asked afterwards whether it still lives. */
  int nice = getpriority(PRIO_PROCESS, job->pid);
  if (errno == 0) capture->nice = nice < -20 ? -20 : nice > 19 ? 19 : nice;
  return RSM_OK;
}

static bool is_terminal_name(const char *path) {
  return path &&
         (strncmp(path, "/dev/pts/", 9) == 0 || strncmp(path, "/dev/tty", 8) == 0 || strcmp(path, "/dev/console") == 0);
}

/* The terminal of its output or else of its error output; both, if they are one. */
static rsm_status read_terminal(capturing *job, rsm_error *reterr) {
  static const char *const names[] = {"fd/1", "fd/2"};
  rsm__capture_terminal *terminal = &job->capture.terminal;
  for (uint32_t i = 0; i < RSM_COUNT(names); i++) {
    const char *path = NULL;
    struct stat st;
    rsm_status status = tolerate(rsm__procfs_link(job->dir, names[i], job->arena, &path, reterr));
    if (status != RSM_OK) return status;
    if (!is_terminal_name(path) || fstatat(job->dir, names[i], &st, 0) < 0 || !S_ISCHR(st.st_mode)) continue;
    if (terminal->path && strcmp(terminal->path, path) != 0) continue;
    *terminal = (rsm__capture_terminal){.path = path,
                                        .device = st.st_rdev,
                                        .owner = st.st_uid,
                                        .changed_s = (uint64_t)st.st_ctim.tv_sec,
                                        .changed_ns = (uint32_t)st.st_ctim.tv_nsec,
                                        .streams = terminal->streams | 1u << i};
  }
  return RSM_OK;
}

static rsm_status read_cgroup(capturing *job, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer text = {0};
  const char *path = NULL;
  size_t length = 0;
  rsm_status status = tolerate(rsm__procfs_read_one(job->dir, "cgroup", MAX_LINE, &text, reterr));
  if (status != RSM_OK || !text.data) return status;
  if (!rsm__parse_line((const char *)text.data, text.length, "0::", &path, &length) || !length || path[0] != '/')
    return RSM_OK;
  job->capture.cgroup = rsm__arena_copy(job->arena, path, length);
  return job->capture.cgroup ? RSM_OK : rsm__fail_memory(reterr);
}

/* ---- Obstacles ---- */

/* 0 or errno. */
static int compare_files(int their_dir, int our_dir, const char *name, bool *ret_same) {
  struct stat theirs, ours;
  if (fstatat(their_dir, name, &theirs, 0) < 0 || fstatat(our_dir, name, &ours, 0) < 0) return errno;
  *ret_same = theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
  return 0;
}

static rsm_status compare_places(capturing *job, int our_dir, rsm_error *reterr) {
  static const struct {
    const char *name, *words;
  } places[] = {
      {"ns/user", "runs in another user namespace"}, {"ns/pid", "runs in another pid namespace"},
      {"ns/mnt", "runs in another mount namespace"}, {"ns/net", "runs in another network namespace"},
      {"root", "runs with another root directory"},
  };
  for (size_t i = 0; i < RSM_COUNT(places); i++) {
    bool same = false;
    int code = compare_files(job->dir, our_dir, places[i].name, &same);
    if (tolerate(rsm__errno_status(code)) != RSM_OK) return rsm__fail_errno(reterr, code, "fstatat", places[i].name);
    if (!same) obstruct(job, code ? "its namespaces cannot be read" : places[i].words);
  }
  return RSM_OK;
}

static bool same_groups(const rsm__proc_status *a, const rsm__proc_status *b) {
  return a->group_count == b->group_count &&
         (a->group_count == 0 || memcmp(a->groups, b->groups, a->group_count * sizeof *a->groups) == 0);
}

/* Who is not root can start programs only as what it is itself. */
static void compare_users(capturing *job) {
  const rsm__proc_status *theirs = &job->theirs.status, *ours = &job->ours.status;
  if (ours->uid[RSM__EFFECTIVE] == 0) return;
  for (int i = 0; i < 3; i++) {
    if (theirs->uid[i] != ours->uid[RSM__EFFECTIVE]) obstruct(job, "runs as another user");
    if (theirs->gid[i] != ours->gid[RSM__EFFECTIVE]) obstruct(job, "runs in another group of users");
  }
  if (!same_groups(theirs, ours)) obstruct(job, "runs in other groups of users");
}

static bool has_file_capabilities(const capturing *job) {
  char path[48];
  snprintf(path, sizeof path, "/proc/self/fd/%d/exe", job->dir);
  return getxattr(path, "security.capability", NULL, 0) > 0;
}

/* What exec gives is compared with what it has: a program that got rights and dropped its user later (or the other way
 * round) would not come back as it was. */
static void compare_rights(capturing *job) {
  enum { CAPABILITY_SETPCAP = 8 };
  const rsm__proc_status *theirs = &job->theirs.status, *ours = &job->ours.status;
  bool may_lower_bounding = ours->cap_effective >> CAPABILITY_SETPCAP & 1;
  bool is_root = theirs->uid[RSM__REAL] == 0 || theirs->uid[RSM__EFFECTIVE] == 0;
  if (theirs->cap_permitted & ~ours->cap_permitted) obstruct(job, "has more rights than we have");
  if (!may_lower_bounding && (ours->cap_bounding & ~theirs->cap_bounding))
    obstruct(job, "cannot get rights that we cannot deny it");
  if (!is_root && (theirs->cap_permitted & ~theirs->cap_ambient) && !has_file_capabilities(job))
    obstruct(job, "holds rights that starting its program does not give it");
  if (ours->no_new_privs && !theirs->no_new_privs) obstruct(job, "may gain rights, and what we start may not");
}

static void compare_security(capturing *job) {
  const surroundings *theirs = &job->theirs, *ours = &job->ours;
  if (theirs->status.seccomp != ours->status.seccomp || theirs->seccomp_filters != ours->seccomp_filters)
    obstruct(job, "runs under another system call filter");
  /* What exec would give it from here cannot be asked; with our own label it gives what it gave, ours or a profile's.
   */
  if (theirs->label[0] && strcmp(theirs->label, ours->label) != 0) obstruct(job, "has another security label");
}

static rsm_status find_obstacles(capturing *job, rsm_error *reterr) {
  /* Our own thread's: each thread has its own rights, filters and label. */
  RSM_CLEAN_FD int our_dir = open("/proc/thread-self", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (our_dir < 0) return rsm__fail_errno(reterr, errno, "open", "/proc/thread-self");
  rsm_status status = read_rights(our_dir, job->arena, &job->ours, reterr);
  if (status == RSM_OK) status = read_label(our_dir, &job->ours, reterr);
  if (status == RSM_OK) status = read_label(job->dir, &job->theirs, reterr);
  if (status != RSM_OK) return status;
  compare_users(job);
  status = compare_places(job, our_dir, reterr);
  if (status != RSM_OK) return status;
  compare_security(job);
  compare_rights(job);
  return RSM_OK;
}

/* ---- Whose program it is ---- */

static bool same_rights(const rsm__proc_status *a, const rsm__proc_status *b) {
  return memcmp(a->uid, b->uid, sizeof a->uid) == 0 && memcmp(a->gid, b->gid, sizeof a->gid) == 0 &&
         same_groups(a, b) && a->cap_inheritable == b->cap_inheritable && a->cap_permitted == b->cap_permitted &&
         a->cap_effective == b->cap_effective && a->cap_bounding == b->cap_bounding &&
         a->cap_ambient == b->cap_ambient && a->no_new_privs == b->no_new_privs;
}

static bool same_text(const char *a, const char *b) {
  return a == b || (a && b && strcmp(a, b) == 0);
}

typedef struct identity {
  surroundings around;
  const char *exe;
} identity;

static rsm_status read_identity(capturing *job, identity *ret, rsm_error *reterr) {
  rsm_status status = read_rights(job->dir, job->arena, &ret->around, reterr);
  return status == RSM_OK ? read_path(job, "exe", &ret->exe, reterr) : status;
}

static bool same_identity(const identity *a, const identity *b) {
  return same_rights(&a->around.status, &b->around.status) && same_text(a->exe, b->exe);
}

/* A process can, between two reads, go from a set-user-ID program to one of its user's: root's rights and the user's
 * program must never be taken for one. So both are read in turn until nothing has changed; and once more at the end. */
static rsm_status read_stable_identity(capturing *job, identity *ret, rsm_error *reterr) {
  enum { TRIES = 8 };
  rsm_status status = read_identity(job, ret, reterr);
  bool stable = false;
  for (int i = 0; i < TRIES && !stable && status == RSM_OK; i++) {
    identity again = {0};
    status = read_identity(job, &again, reterr);
    stable = status == RSM_OK && same_identity(ret, &again);
    *ret = again;
  }
  if (!stable) obstruct(job, "changes its program or its rights while it is looked at");
  return status;
}

static bool is_one(const uint32_t ids[3]) {
  return ids[0] == ids[1] && ids[1] == ids[2];
}

static rsm_status read_paths(capturing *job, rsm_error *reterr) {
  rsm__capture *capture = &job->capture;
  rsm_status status = read_path(job, "cwd", &capture->directory, reterr);
  if (status != RSM_OK) return status;
  if (!is_one(capture->uid) || !is_one(capture->gid)) obstruct(job, "runs with the rights of two users");
  if (!capture->exe) obstruct(job, "its program file cannot be read");
  if (capture->exe && strncmp(capture->exe, "/memfd:", 7) == 0) obstruct(job, "its program is not a file");
  if (!capture->directory) obstruct(job, "its working directory cannot be read");
  return RSM_OK;
}

static rsm_status read_everything(capturing *job, bool with_environment, rsm_error *reterr) {
  rsm__capture *capture = &job->capture;
  identity first = {0}, last = {0};
  rsm_status status = read_stable_identity(job, &first, reterr);
  if (status != RSM_OK) return status;
  job->theirs = first.around;
  capture->exe = first.exe;
  copy_identity(job);
  status = find_obstacles(job, reterr);
  if (status == RSM_OK) status = read_paths(job, reterr);
  if (status == RSM_OK) status = read_arguments(job, reterr);
  if (status == RSM_OK && with_environment) status = read_environment(job, reterr);
  if (status == RSM_OK) status = read_terminal(job, reterr);
  if (status == RSM_OK) status = read_cgroup(job, reterr);
  if (status == RSM_OK) status = read_numbers(job, reterr);
  if (status == RSM_OK) status = read_identity(job, &last, reterr);
  if (status == RSM_OK && !same_identity(&first, &last))
    obstruct(job, "changes its program or its rights while it is looked at");
  return status;
}

rsm_status rsm__capture_read(int dir, uint32_t pid, bool with_environment, rsm__arena *arena, rsm__capture *ret_capture,
                             rsm_error *reterr) {
  capturing job = {.dir = dir, .pid = pid, .arena = arena};
  rsm_status status = read_everything(&job, with_environment, reterr);
  *ret_capture = job.capture;
  return status;
}

/* Nothing that may wait for it. */
static rsm_status read_silent(int dir, uint32_t pid, rsm__arena *arena, rsm__capture *ret_capture, rsm_error *reterr) {
  capturing job = {.dir = dir, .pid = pid, .arena = arena};
  rsm_status status = read_rights(dir, arena, &job.theirs, reterr);
  if (status != RSM_OK) return status;
  copy_identity(&job);
  obstruct(&job, "its arguments could not be read in time");
  status = read_cgroup(&job, reterr);
  *ret_capture = job.capture;
  return status;
}

static rsm_status read_capture(const rsm__process *process, bool with_environment, rsm__arena *arena,
                               rsm__capture *ret_capture, rsm_error *reterr) {
  rsm_status status = rsm__reading_capture(process, with_environment, arena, ret_capture, reterr);
  if (status != RSM_TIMEOUT) return status;
  RSM_CLEAN_FD int dir = -1;
  status = rsm__process_open_proc(process, &dir, reterr);
  if (status != RSM_OK) return status;
  return read_silent(dir, rsm__process_id(process)->pid, arena, ret_capture, reterr);
}

rsm_status rsm__launch_capture(const rsm__process *process, bool with_environment, rsm__arena *arena,
                               rsm__buffer *ret_capture, const char **ret_obstacle, rsm_error *reterr) {
  rsm__capture capture = {0};
  rsm_error error = {0};
  rsm_status status = read_capture(process, with_environment, arena, &capture, &error);
  if (status != RSM_OUT_OF_MEMORY && status != RSM_CANCELLED && !rsm__process_alive(process))
    return rsm__fail(reterr, RSM_NOT_FOUND, NULL, "process %u has ended", rsm__process_id(process)->pid);
  if (status != RSM_OK) {
    if (reterr) *reterr = error;
    return status;
  }
  RSM_CLEAN_BUFFER rsm__buffer bytes = {0};
  rsm__capture_encode(&capture, &bytes);
  if (bytes.failed) return rsm__fail_memory(reterr);
  rsm__buffer_done(ret_capture);
  *ret_capture = bytes;
  bytes = (rsm__buffer){0};
  *ret_obstacle = capture.obstacle;
  return RSM_OK;
}
