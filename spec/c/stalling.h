/* stalling.h: processes that hang whoever looks at them. And what they need: a FUSE file system, spoken by hand, that
 * answers until it matters: its file can be found and opened, but not read or closed. Needs root.
 * SPDX-License-Identifier: MIT */
#ifndef STALLING_H
#define STALLING_H

#include <errno.h>
#include <linux/fuse.h>
#include <stdint.h>
#include <sys/stat.h>

#include "holding.h"
#include "until.h"

static pid_t server;

static inline struct fuse_attr stalling_attr(uint64_t node) {
  return (struct fuse_attr){
      .ino = node, .size = 4096, .nlink = 1, .blksize = 4096, .mode = node == 1 ? S_IFDIR | 0755 : S_IFREG | 0755};
}

static inline void stalling_answer(int fuse, uint64_t unique, int error, const void *data, size_t size) {
  struct {
    struct fuse_out_header header;
    char data[512];
  } out = {.header = {.len = (uint32_t)(sizeof out.header + size), .error = error, .unique = unique}};
  if (size > 0) memcpy(out.data, data, size);
  if (write(fuse, &out, out.header.len) < 0 && errno == ENODEV) _exit(0);
}

static inline void stalling_take(int fuse, const struct fuse_in_header *in) {
  const struct fuse_init_out init = {.major = 7, .minor = 31, .max_write = 4096};
  const struct fuse_entry_out entry = {.nodeid = 2, .entry_valid = 3600, .attr_valid = 3600, .attr = stalling_attr(2)};
  const struct fuse_attr_out attr = {.attr_valid = 3600, .attr = stalling_attr(in->nodeid)};
  const struct fuse_open_out opened = {.fh = 1};
  switch (in->opcode) {
  case FUSE_INIT:
    stalling_answer(fuse, in->unique, 0, &init, sizeof init);
    break;
  case FUSE_LOOKUP:
    stalling_answer(fuse, in->unique, 0, &entry, sizeof entry);
    break;
  case FUSE_GETATTR:
    stalling_answer(fuse, in->unique, 0, &attr, sizeof attr);
    break;
  case FUSE_OPEN:
    stalling_answer(fuse, in->unique, 0, &opened, sizeof opened);
    break;
  case FUSE_READ:
  case FUSE_FLUSH: /* never */
  case FUSE_FORGET:
  case FUSE_BATCH_FORGET:
  case FUSE_INTERRUPT: /* these three want no answer */
    break;
  default:
    stalling_answer(fuse, in->unique, -ENOSYS, NULL, 0);
  }
}

static inline void serve(int fuse) {
  static _Alignas(8) char request[64 * 1024];
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) {
    ssize_t got = read(fuse, request, sizeof request);
    if (got >= (ssize_t)sizeof(struct fuse_in_header)) stalling_take(fuse, (const void *)request);
    if (got < 0 && errno != EINTR && errno != EAGAIN && errno != ENOENT) _exit(0); /* the mount is gone */
  }
}

/* Mounts it at folder/stalling. False, with the reason printed: not permitted here. */
static inline bool start_server(void) {
  char options[128];
  if (mkdir(in("stalling"), 0755) < 0) CHECK(errno == EEXIST);
  int fuse = has_own_mounts ? open("/dev/fuse", O_RDWR | O_CLOEXEC) : -1;
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fuse);
  if (fuse < 0 || mount("stalling", in("stalling"), "fuse.stalling", MS_NODEV, options) < 0) {
    printf("skipped: a process that hangs (needs root and FUSE: %s)\n", has_own_mounts ? strerror(errno) : "not root");
    if (fuse >= 0) close(fuse);
    return false;
  }
  server = fork();
  if (server == 0) serve(fuse);
  close(fuse); /* the server's is the last: with it the connection ends, and all that hang come back */
  return true;
}

static inline void end_server(void) {
  CHECK(kill(server, SIGKILL) == 0 && waitpid(server, NULL, 0) == server);
  CHECK(umount2(in("stalling"), MNT_DETACH) == 0);
}

/* What only threads that were given up own is freed when they come back. */
static inline void wait_for_threads(long live) {
  (void)UNTIL(5000, rsm__alloc_live() == live);
  CHECK_INT(rsm__alloc_live(), live);
}

/* ---- Processes that hang ---- */

/* Reads one byte of that process: where it is a page that nobody brings, the process' memory lock is held for good. */
static inline void poke(pid_t pid, const char *page) {
  char path[64], byte;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
  int memory = open(path, O_RDONLY | O_CLOEXEC);
  _exit(pread(memory, &byte, 1, (off_t)(uintptr_t)page) == 1 ? 0 : 1);
}

/* Holds the file. Once it waits for its own memory lock, too, nobody else gets it: who reads its arguments hangs. */
static inline void act_stall_memory(const char *path, int unused) {
  (void)unused;
  act_open(path, O_RDONLY);
  int fd = open(in("stalling/file"), O_RDONLY);
  char *page = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  pid_t self = getpid(), poker = page == MAP_FAILED ? -1 : fork();
  if (poker == 0) poke(self, page);
  if (write(100, "r", 1) != 1 || poker < 0) _exit(1);
  close(100);
  usleep(100000);
  for (;;) {
    (void)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    usleep(10000);
  }
}

/* Holds the file, and hangs within its exec, which closes what is close-on-exec: until that is over the kernel lets
 * nobody open its maps. */
static inline void act_stall_exec(const char *path, int unused) {
  (void)unused;
  act_open(path, O_RDONLY);
  CHECK(open(in("stalling/file"), O_RDONLY | O_CLOEXEC) >= 0);
  CHECK(write(100, "r", 1) == 1);
  close(100);
  execl("/bin/sleep", "sleep", "1000", (char *)NULL);
  _exit(1);
}

/* Does another process hang, too, when it opens that file of /proc/PID? */
static inline bool hangs(pid_t pid, const char *name) {
  char path[64], word;
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
  pid_t prober = fork();
  if (prober == 0) {
    int fd = open(path, O_RDONLY);
    _exit(fd >= 0 && read(fd, &word, 1) >= 0 ? 0 : 1);
  }
  if (UNTIL(300, waitpid(prober, NULL, WNOHANG) == prober)) return false;
  CHECK(kill(prober, SIGKILL) == 0); /* it may end only with the server: nobody waits for it */
  return true;
}

#endif
