/* scanner.c: see scanner.h and rsm__holders_scanner. SPDX-License-Identifier: MIT
 *
 * call                            | purpose                              | blocks on
 * stat /proc, /proc/self/ns/pid   | how many processes; whose view       | nothing
 * read /proc/sys/fs/file-nr       | how many open files                  | nothing
 *
 * The walk in the kernel costs some milliseconds once, to load it, and next to nothing from then on. So the first
 * listing of a process goes through /proc where that is expected to be over sooner; from the second one on it is
 * loaded. What is kept for that and for rsm_scanner is of the whole process, and nothing hangs on it. */
#define _GNU_SOURCE
#include "os/linux/scanner.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "os/holders.h"
#include "os/linux/fd.h"
#include "os/linux/look.h"
#include "os/linux/processors.h"
#include "os/linux/procfs.h"
#include "os/linux/walker.h"

/* Measured with two processors; microseconds. */
enum {
  LOADING = 6000,
  PROC_PROCESS = 8,
  PROC_FILES_A_US = 1, /* files, open or mapped, that two threads look at in a microsecond */
  BPF_FILES_A_US = 8
};

static struct {
  atomic_int process;  /* whose count it is: a forked child begins anew */
  atomic_int listings; /* so far */
  atomic_int holder;   /* the process a thread of which is at `last`; 0: none */
  rsm_scanner_info last;
} state;

static bool is_first_listing(void) {
  int self = getpid();
  if (atomic_exchange(&state.process, self) != self) atomic_store(&state.listings, 0);
  return atomic_fetch_add(&state.listings, 1) == 0;
}

unsigned long rsm__scanner_count_files(void) {
  char text[64] = "";
  RSM_CLEAN_FD int fd = open("/proc/sys/fs/file-nr", O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  return length > 0 ? strtoul(text, NULL, 10) : 0;
}

static unsigned long count_processes(void) {
  struct stat proc;
  return stat("/proc", &proc) == 0 ? (unsigned long)proc.st_nlink : 0; /* its directories: one a process */
}

static bool is_worth_loading(void) {
  unsigned long files = rsm__scanner_count_files();
  unsigned long by_proc = files / PROC_FILES_A_US + count_processes() * PROC_PROCESS;
  if (!rsm__has_two_processors()) by_proc *= 2;
  return by_proc > LOADING + files / BPF_FILES_A_US;
}

/* In another pid namespace the walk's numbers are not ours. */
static bool sees_all_processes(void) {
  rsm__stat ns;
  return rsm__stat_at(AT_FDCWD, "/proc/self/ns/pid", 0, &ns) == 0 && ns.ino == RSM__FIRST_PID_NAMESPACE;
}

static bool is_known_machine(void) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && UINTPTR_MAX == UINT64_MAX
  return true;
#else
  return false;
#endif
}

bool rsm__scanner_choose(bool unwanted, const char **ret_reason) {
  const char *forced = secure_getenv("RSM_SCAN"); /* with more rights than who started us: not theirs to say */
  bool first = is_first_listing();
  *ret_reason = NULL;
  if (forced && strcmp(forced, "proc") == 0)
    *ret_reason = "RSM_SCAN=proc is in the environment";
  else if (unwanted)
    *ret_reason = "the session was started without it (bpf = false)";
  else if (!is_known_machine())
    *ret_reason = "it needs a little-endian machine of 64 bits";
  else if (!rsm__walker_permitted())
    *ret_reason = "it needs root's rights, or CAP_BPF and CAP_PERFMON";
  else if (!sees_all_processes())
    *ret_reason = "we run in a pid namespace of our own";
  else if (!(forced && strcmp(forced, "bpf") == 0) && first && !rsm__walker_loaded() && !is_worth_loading())
    *ret_reason = "the first listing was expected to be over before the program is loaded";
  return *ret_reason == NULL;
}

bool rsm__scanner_knows(const char *filesystem) {
  static const char *const known[] = {
      "ext4",  "ext3",    "ext2",     "xfs", "btrfs", "tmpfs",  "ramfs", "rootfs",   "f2fs",      "vfat", "exfat",
      "ntfs3", "iso9660", "squashfs", "udf", "jfs",   "nilfs2", "erofs", "devtmpfs", "hugetlbfs", "nfs",  "nfs4"};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(known[i], filesystem) == 0) return true;
  return false;
}

/* ---- What the last one was ---- */

/* For a few instructions. A child that was forked meanwhile has no such thread, so it takes what its parent held. */
static void hold_last(void) {
  int self = getpid(), holder;
  do {
    holder = atomic_load(&state.holder);
    if (holder == self) sched_yield();
  } while (holder == self || !atomic_compare_exchange_weak(&state.holder, &holder, self));
}

void rsm__scanner_tell(bool by_bpf, const char *reason) {
  hold_last();
  snprintf(state.last.name, sizeof state.last.name, "%s", by_bpf ? "bpf" : "proc");
  snprintf(state.last.reason, sizeof state.last.reason, "%s", by_bpf ? "" : reason);
  atomic_store(&state.holder, 0);
}

uint64_t rsm__scanner_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void rsm__scanner_took(uint64_t us) {
  hold_last();
  state.last.took_us = us;
  atomic_store(&state.holder, 0);
}

void rsm__holders_scanner(rsm_scanner_info *ret_info) {
  hold_last();
  *ret_info = state.last;
  atomic_store(&state.holder, 0);
}
