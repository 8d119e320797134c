/* facts.c: what /proc tells about a process. What may not be read is not known; only memory and the end of the process
 * are failures. SPDX-License-Identifier: MIT
 *
 * call                          | purpose               | blocks on
 * open, read /proc/PID/cmdline  | the arguments         | a page fault in the process, its memory lock, its exec
 * statx /proc/PID/exe           | deleted? whose is it? | a file system that revalidates regardless (9p)
 * all others                    |                       | nothing
 *
 * So it is done in a thread (reading.c), and if that was given up once more without those two. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/linux/fd.h"
#include "os/linux/process_handle.h"
#include "os/linux/procfs.h"
#include "os/linux/reading.h"
#include "os/linux/session_core.h"
#include "os/linux/unit.h"
#include "os/user.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20 /* Linux 5.12: answer from memory or not at all */
#endif

enum { COMMAND_LIMIT = 2 << 20, ID_LIMIT = 64, NANO = 1000000000 };
static const char deleted_suffix[] = " (deleted)";

/* What we are not told is no failure. */
static rsm_status only_memory(rsm_status status) {
  return status == RSM_OUT_OF_MEMORY ? status : RSM_OK;
}

/* ---- The program file -------------------------------------------------------------------------------------------- */

/* Does the path name that very file? Asks the kernel's memory only, so that no dead mount can hold us. That is enough:
 * a file in use is there by its name as long as it has it. Before 5.12 it says no: the suffix is taken for the
 * kernel's. */
static bool path_is_file(const char *path, const struct statx *file) {
  struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_CACHED};
  RSM_CLEAN_FD int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
  struct stat found;
  return fd >= 0 && fstat(fd, &found) == 0 && found.st_ino == file->stx_ino &&
         found.st_dev == makedev(file->stx_dev_major, file->stx_dev_minor);
}

static bool has_suffix(const char *text) {
  size_t length = strlen(text), suffix = sizeof deleted_suffix - 1;
  return length > suffix && strcmp(text + length - suffix, deleted_suffix) == 0;
}

rsm_status rsm__procfs_exe(int dir, rsm__arena *arena, const char **ret_exe, rsm_error *reterr) {
  const char *exe;
  rsm_status status = rsm__procfs_link(dir, "exe", arena, &exe, reterr);
  if (status != RSM_OK) return status;
  struct statx file;
  if (has_suffix(exe) && statx(dir, "exe", AT_STATX_DONT_SYNC, STATX_INO | STATX_NLINK, &file) == 0) {
    /* With other links left, the suffix may be a part of the name: then the file is there under just that name. */
    if (file.stx_nlink == 0 || !path_is_file(exe, &file)) {
      exe = rsm__arena_copy(arena, exe, strlen(exe) - (sizeof deleted_suffix - 1));
      if (!exe) return rsm__fail_memory(reterr);
    }
  }
  *ret_exe = exe;
  return RSM_OK;
}

static bool exe_is_systems(int dir) {
  struct statx file;
  if (statx(dir, "exe", AT_STATX_DONT_SYNC, STATX_UID | STATX_MODE, &file) != 0) return false;
  return file.stx_uid == 0 && (file.stx_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Without touching the file: a suffix is taken for the kernel's. */
static rsm_status read_exe_link(int dir, rsm__arena *arena, const char **ret_exe, rsm_error *reterr) {
  const char *exe;
  rsm_status status = rsm__procfs_link(dir, "exe", arena, &exe, reterr);
  if (status != RSM_OK) return status;
  if (has_suffix(exe)) exe = rsm__arena_copy(arena, exe, strlen(exe) - (sizeof deleted_suffix - 1));
  if (!exe) return rsm__fail_memory(reterr);
  *ret_exe = exe;
  return RSM_OK;
}

static rsm_status read_program(int dir, bool bare, const rsm__proc_stat *stat, rsm__arena *arena,
                               rsm__process_facts *facts, rsm_error *reterr) {
  rsm_status status =
      bare ? read_exe_link(dir, arena, &facts->exe, reterr) : rsm__procfs_exe(dir, arena, &facts->exe, reterr);
  status = only_memory(status);
  if (status != RSM_OK) return status;
  const char *slash = facts->exe ? strrchr(facts->exe, '/') : NULL;
  facts->name = rsm__arena_strdup(arena, slash && slash[1] ? slash + 1 : stat->name);
  if (!facts->name) return rsm__fail_memory(reterr);
  if (bare) return RSM_OK;
  return only_memory(
      rsm__procfs_texts(dir, "cmdline", COMMAND_LIMIT, arena, &facts->command, &facts->command_count, reterr));
}

/* ---- Where it lives ---------------------------------------------------------------------------------------------- */

typedef enum same { SAME, DIFFERENT, UNKNOWN } same;

static same compare_namespace(int dir, const char *name) {
  char text[2][64];
  char ours[32];
  snprintf(ours, sizeof ours, "/proc/self/%s", name);
  ssize_t theirs_length = readlinkat(dir, name, text[0], sizeof text[0]);
  ssize_t ours_length = readlink(ours, text[1], sizeof text[1]);
  if (theirs_length < 0 || ours_length < 0) return UNKNOWN;
  return theirs_length == ours_length && memcmp(text[0], text[1], (size_t)ours_length) == 0 ? SAME : DIFFERENT;
}

static bool in_our_namespaces(int dir, const rsm__proc_status *status) {
  if (status->pid_levels > 1) return false; /* readable for everybody */
  return compare_namespace(dir, "ns/pid") != DIFFERENT && compare_namespace(dir, "ns/user") != DIFFERENT;
}

/* The number that the kernel's audit gave the login; all bits set: none. */
static rsm_status read_audit_session(int dir, rsm__arena *arena, const char **ret_id, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  rsm_status status = rsm__procfs_read_one(dir, "sessionid", ID_LIMIT, &content, reterr);
  if (status != RSM_OK) return status;
  uint64_t number;
  size_t length = strcspn((const char *)content.data, "\n");
  if (!rsm__parse_number((const char *)content.data, length, &number) || number >= UINT32_MAX) return RSM_OK;
  const char *id = rsm__arena_copy(arena, (const char *)content.data, length);
  if (!id) return rsm__fail_memory(reterr);
  *ret_id = id;
  return RSM_OK;
}

static rsm_status read_logon_session(int dir, const char *cgroup, rsm__arena *arena, const char **ret_id,
                                     rsm_error *reterr) {
  const char *id;
  size_t length;
  if (!cgroup || !rsm__parse_logon_session(cgroup, &id, &length))
    return only_memory(read_audit_session(dir, arena, ret_id, reterr));
  *ret_id = rsm__arena_copy(arena, id, length);
  return *ret_id ? RSM_OK : rsm__fail_memory(reterr);
}

/* ---- All together ------------------------------------------------------------------------------------------------ */

/* Both clocks are read here rather than the time of boot in /proc/stat, a file that takes longer than all others. */
static int64_t unix_time_of(uint64_t ticks) {
  struct timespec real = {0}, boot = {0};
  long rate = sysconf(_SC_CLK_TCK);
  clock_gettime(CLOCK_REALTIME, &real);
  if (rate <= 0 || clock_gettime(CLOCK_BOOTTIME, &boot) != 0) return 0;
  int64_t offset = ((int64_t)real.tv_sec - boot.tv_sec) * NANO + (real.tv_nsec - boot.tv_nsec);
  int64_t since_boot = (int64_t)(ticks / (uint64_t)rate) * NANO + (int64_t)(ticks % (uint64_t)rate) * (NANO / rate);
  return (offset + since_boot) / NANO;
}

static rsm_status read_account(int dir, rsm__arena *arena, rsm__process_facts *facts, rsm_error *reterr) {
  rsm__proc_status status;
  rsm_status result = rsm__procfs_status(dir, arena, &status, reterr);
  if (result != RSM_OK) return result;
  facts->uid = status.uid[RSM__EFFECTIVE];
  facts->user = rsm__user_name(facts->uid, arena);
  if (!facts->user) return rsm__fail_memory(reterr);
  facts->same_namespaces = in_our_namespaces(dir, &status);
  return RSM_OK;
}

/* bare: whose program it is and its arguments are not known: in doubt they are those of the session's core. */
static rsm_status read_session(int dir, bool bare, const rsm__proc_stat *stat, const char *cgroup, rsm__arena *arena,
                               rsm__process_facts *facts, rsm_error *reterr) {
  rsm_status status = read_logon_session(dir, cgroup, arena, &facts->logon_session, reterr);
  if (status != RSM_OK) return status;
  facts->has_terminal = stat->terminal != 0;
  if (facts->kernel_thread) return RSM_OK;
  facts->session_core = rsm__session_core(&(rsm__core_question){
      .pid = stat->pid,
      .parent = stat->parent,
      .exe = facts->exe,
      .exe_is_systems = facts->exe && (bare || exe_is_systems(dir)),
      .name = stat->name,
      .args = facts->command,
      .arg_count = facts->command_count,
      .args_unknown = bare,
      .cgroup = cgroup,
  });
  return RSM_OK;
}

static rsm_status read_facts(int dir, bool bare, rsm__arena *arena, rsm__process_facts *facts, const char **ret_cgroup,
                             rsm_error *reterr) {
  rsm__proc_stat stat;
  rsm_status status = rsm__procfs_stat(dir, &stat, reterr);
  if (status != RSM_OK) return status;
  facts->kernel_thread = (stat.flags & RSM__PF_KTHREAD) != 0;
  facts->started_at = unix_time_of(stat.start_time);
  status = rsm__procfs_parent(dir, &stat, &facts->parent, reterr);
  if (status == RSM_OK) status = read_account(dir, arena, facts, reterr);
  if (status == RSM_OK) status = read_program(dir, bare, &stat, arena, facts, reterr);
  *ret_cgroup = NULL;
  if (status == RSM_OK) status = only_memory(rsm__procfs_cgroup(dir, arena, ret_cgroup, reterr));
  if (status == RSM_OK) status = read_session(dir, bare, &stat, *ret_cgroup, arena, facts, reterr);
  return status;
}

rsm_status rsm__facts_read(int dir, rsm__arena *arena, rsm__process_facts *ret_facts, const char **ret_cgroup,
                           rsm_error *reterr) {
  return read_facts(dir, false, arena, ret_facts, ret_cgroup, reterr);
}

rsm_status rsm__process_facts_get(const rsm__process *process, rsm__arena *arena, rsm__process_facts *ret_facts,
                                  rsm_error *reterr) {
  rsm__process_facts facts = {0};
  rsm_error error = {0};
  rsm_status status = rsm__reading_facts(process, arena, &facts, &error);
  if (status == RSM_TIMEOUT) {
    RSM_CLEAN_FD int dir = -1;
    const char *cgroup;
    facts = (rsm__process_facts){0};
    status = rsm__process_open_proc(process, &dir, &error);
    if (status == RSM_OK) status = read_facts(dir, true, arena, &facts, &cgroup, &error);
  }
  if (status != RSM_OUT_OF_MEMORY && status != RSM_CANCELLED && !rsm__process_alive(process))
    return rsm__fail(reterr, RSM_NOT_FOUND, facts.name, "it ended while it was looked at");
  if (status != RSM_OK) {
    if (reterr) *reterr = error;
    return status;
  }
  *ret_facts = facts;
  return RSM_OK;
}
