/* procfs.h: reading /proc, and the parsers of its texts, which know no file and no process: they take (text, length),
 * accept any bytes, never read past the end and say false when the text is not whole.
 *
 * /proc/PID is opened once and everything is read through that descriptor: it goes on meaning the process that it was
 * opened for, also after the pid has been given to another; reads then fail with RSM_NOT_FOUND.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_PROCFS_H
#define RSM_OS_LINUX_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "rsm.h"

/* ---- Readers ---- */

/* /proc/PID, for openat; the caller closes it. RSM_NOT_FOUND: no such process, or hidden from us (hidepid). */
rsm_status rsm__procfs_open(uint32_t pid, int *ret_dir, rsm_error *reterr);

/* The whole of file name below dir (AT_FDCWD: name is a whole path), appended to *content; a NUL follows it that
 * content->length does not count. RSM_NOT_FOUND: the process has ended, or there is no such file. RSM_MORE_DATA: it is
 * longer than limit. On failure content->length is as before.
 * Blocks: cmdline, environ and maps wait for the other process' memory lock, so for the disk or network mount on which
 * a page fault of its own hangs; an exec of it that is under way holds up the same files and, from Linux 6.18, stat.
 * status, comm and cgroup do not block. */
rsm_status rsm__procfs_read(int dir, const char *name, size_t limit, rsm__buffer *content, rsm_error *reterr);
/* The same of a file that the kernel makes in one piece, and not line by line (stat, status, limits, ...): it is not
 * asked again whether that was all. */
rsm_status rsm__procfs_read_one(int dir, const char *name, size_t limit, rsm__buffer *content, rsm_error *reterr);

/* What the link below dir says, in the arena, its bytes as they are. RSM_NOT_FOUND: the process has ended or has none
 * (a kernel thread's exe). Does not touch the file that it names. */
rsm_status rsm__procfs_link(int dir, const char *name, rsm__arena *arena, const char **ret_target, rsm_error *reterr);

/* cmdline or environ as texts, in the arena: ret_texts[*ret_count] is NULL. */
rsm_status rsm__procfs_texts(int dir, const char *name, size_t limit, rsm__arena *arena, const char *const **ret_texts,
                             size_t *ret_count, rsm_error *reterr);

/* ---- /proc/PID/stat ---- */

enum { RSM__PF_KTHREAD = 0x00200000 };

typedef struct rsm__proc_stat {
  uint32_t pid;
  char name[64]; /* the kernel's short name, its bytes as they are: any but NUL, so newline and ')', too */
  char state;    /* Z and X have ended */
  uint32_t parent;
  uint32_t group;
  uint32_t session;
  uint32_t terminal;      /* device number; 0: no controlling terminal */
  int32_t terminal_group; /* the terminal's foreground process group; -1: no terminal */
  uint32_t flags;         /* RSM__PF_KTHREAD */
  uint32_t threads;
  uint64_t start_time; /* clock ticks since boot */
} rsm__proc_stat;

bool rsm__parse_stat(const char *text, size_t length, rsm__proc_stat *ret_stat);
rsm_status rsm__procfs_stat(int dir, rsm__proc_stat *ret_stat, rsm_error *reterr);

/* ---- /proc/PID/status ---- */

enum { RSM__REAL, RSM__EFFECTIVE, RSM__SAVED, RSM__FILESYSTEM };

typedef struct rsm__proc_status {
  uint32_t uid[4]; /* RSM__REAL ... RSM__FILESYSTEM; as seen from our user namespace (not mapped: 65534) */
  uint32_t gid[4];
  const uint32_t *groups; /* supplementary; in the arena */
  size_t group_count;
  uint64_t cap_inheritable, cap_permitted, cap_effective, cap_bounding, cap_ambient;
  bool no_new_privs;
  uint32_t seccomp; /* 0 none, 1 strict, 2 filter */
  bool has_umask;   /* false: a kernel before 4.7, or the process has ended */
  uint32_t umask;
  uint32_t pid_levels; /* pid namespaces from ours down to its own: 1 = the same as ours; 0 not known */
  uint32_t inner_pid;  /* its pid in its own namespace; 0 not known */
} rsm__proc_status;

/* False: not whole, i.e. Uid or Gid are missing or a line is malformed, or out of memory for groups. */
bool rsm__parse_status(const char *text, size_t length, rsm__arena *arena, rsm__proc_status *ret_status);
rsm_status rsm__procfs_status(int dir, rsm__arena *arena, rsm__proc_status *ret_status, rsm_error *reterr);

/* ---- /proc/PID/cgroup ---- */

/* The cgroup that tells the unit, a slice of text, e.g. "/system.slice/nginx.service": of the unified hierarchy (0::),
 * and where that says nothing ("/") of the hierarchy name=systemd. False: neither is there. */
bool rsm__parse_cgroup(const char *text, size_t length, const char **ret_path, size_t *ret_length);
/* The same of a process, in the arena. NULL: neither is there. */
rsm_status rsm__procfs_cgroup(int dir, rsm__arena *arena, const char **ret_path, rsm_error *reterr);

/* ---- Lists and lines ---- */

/* Texts that each end with a NUL (the last may lack it), in the arena, NULL-terminated. NULL: out of memory. */
const char *const *rsm__parse_texts(const char *text, size_t length, rsm__arena *arena, size_t *ret_count);

/* The value of the line "KEY value" that key (with its separator: "Uid:", "btime ") begins, blanks around it removed.
 * False: there is no such whole line. */
bool rsm__parse_line(const char *text, size_t length, const char *key, const char **ret_value, size_t *ret_length);

/* An unsigned decimal number that the whole of text is. */
bool rsm__parse_number(const char *text, size_t length, uint64_t *ret_number);

#endif
