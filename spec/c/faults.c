/* faults.c: see faults.h. Every function here stands before the C library's function of that name.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "faults.h"

#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { MOST_FRAMES = 24 };

static struct {
  fault wanted;
  atomic_int owner; /* the process that it is armed in; 0: disarmed */
  atomic_ulong calls;
  atomic_int code; /* of the first that failed; 0: none has */
  const char *name;
  void *frames[MOST_FRAMES];
  int frame_count;
} state;

void faults_arm(const fault *wanted) {
  state.wanted = *wanted;
  atomic_store(&state.calls, 0);
  atomic_store(&state.code, 0);
  atomic_store(&state.owner, getpid());
}

unsigned long faults_disarm(void) {
  atomic_store(&state.owner, 0);
  return atomic_load(&state.calls);
}

bool faults_hit(void) {
  return atomic_load(&state.code) != 0;
}

int faults_code(void) {
  return atomic_load(&state.code);
}

void faults_tell(void) {
  if (!faults_hit()) return;
  fprintf(stderr, "call %lu (%s) failed with %s%s:\n", state.wanted.at, state.name, strerror(faults_code()),
          state.wanted.for_ever ? ", and all after it" : "");
  backtrace_symbols_fd(state.frames, state.frame_count, STDERR_FILENO);
}

static void remember(const char *name, int code) {
  int none = 0;
  if (!atomic_compare_exchange_strong(&state.code, &none, code)) return;
  state.name = name;
  state.frame_count = backtrace(state.frames, MOST_FRAMES);
}

/* 0: the call is to be made. */
static int next_fault(const char *name, const int *codes, size_t count) {
  int owner = atomic_load(&state.owner);
  if (!owner || owner != getpid()) return 0;
  if (state.wanted.only && strcmp(name, state.wanted.only) != 0) return 0;
  unsigned long call = atomic_fetch_add(&state.calls, 1) + 1;
  if (!state.wanted.at || (state.wanted.for_ever ? call < state.wanted.at : call != state.wanted.at)) return 0;
  for (size_t i = 0; i < count; i++) {
    int code = codes[(state.wanted.turn + i) % count];
    if (code == EINTR && state.wanted.for_ever) continue; /* nobody is interrupted for ever */
    if (code == ESRCH && !state.wanted.may_call_dead) continue;
    remember(name, code);
    return code;
  }
  return 0;
}

#define CODES(...) ((const int[]){__VA_ARGS__})
#define NEXT(name, codes) next_fault(#name, codes, sizeof(codes) / sizeof(int))

#define FAULTY(type, name, declared, passed, failed, codes)                                                            \
  type __real_##name declared;                                                                                         \
  type __wrap_##name declared;                                                                                         \
  type __wrap_##name declared {                                                                                        \
    int code = NEXT(name, codes);                                                                                      \
    if (!code) return __real_##name passed;                                                                            \
    errno = code;                                                                                                      \
    return failed;                                                                                                     \
  }

#define OF_OPENING CODES(EACCES, EMFILE, EIO, ENOMEM, ESRCH)
#define OF_LOOKING CODES(EACCES, EIO, ENOMEM)
#define OF_READING CODES(EIO, ENOMEM, ESRCH, EINTR)
#define OF_CHANGING CODES(EIO, ENOSPC, EACCES, EROFS)
#define OF_WRITING CODES(ENOSPC, EIO, EINTR)

FAULTY(int, fstat, (int fd, struct stat *to), (fd, to), -1, CODES(EIO, ENOMEM))
FAULTY(int, stat, (const char *path, struct stat *to), (path, to), -1, OF_LOOKING)
FAULTY(int, lstat, (const char *path, struct stat *to), (path, to), -1, OF_LOOKING)
FAULTY(int, fstatat, (int dir, const char *path, struct stat *to, int flags), (dir, path, to, flags), -1, OF_LOOKING)
FAULTY(int, statx, (int dir, const char *path, int flags, unsigned mask, struct statx *to),
       (dir, path, flags, mask, to), -1, OF_LOOKING)
FAULTY(int, fstatfs, (int fd, struct statfs *to), (fd, to), -1, OF_LOOKING)
FAULTY(ssize_t, readlink, (const char *path, char *to, size_t size), (path, to, size), -1, OF_LOOKING)
FAULTY(ssize_t, readlinkat, (int dir, const char *path, char *to, size_t size), (dir, path, to, size), -1, OF_LOOKING)
FAULTY(ssize_t, getxattr, (const char *path, const char *name, void *to, size_t size), (path, name, to, size), -1,
       OF_LOOKING)
FAULTY(char *, getcwd, (char *to, size_t size), (to, size), NULL, OF_LOOKING)
FAULTY(ssize_t, read, (int fd, void *to, size_t size), (fd, to, size), -1, OF_READING)
FAULTY(ssize_t, pread, (int fd, void *to, size_t size, off_t at), (fd, to, size, at), -1, OF_READING)
FAULTY(ssize_t, getdents64, (int fd, void *to, size_t size), (fd, to, size), -1, CODES(EIO, ENOMEM, ESRCH))
FAULTY(DIR *, opendir, (const char *path), (path), NULL, OF_OPENING)
FAULTY(DIR *, fdopendir, (int fd), (fd), NULL, CODES(ENOMEM))
FAULTY(struct dirent *, readdir, (DIR * dir), (dir), NULL, CODES(EIO, ENOMEM))
FAULTY(FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL, OF_OPENING)
FAULTY(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size), -1, OF_WRITING)
FAULTY(int, ftruncate, (int fd, off_t length), (fd, length), -1, CODES(EIO, EINTR))
FAULTY(int, fsync, (int fd), (fd), -1, CODES(EIO, ENOSPC))
FAULTY(int, fdatasync, (int fd), (fd), -1, CODES(EIO, ENOSPC))
FAULTY(int, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode), -1, OF_CHANGING)
FAULTY(int, renameat, (int from, const char *a, int to, const char *b), (from, a, to, b), -1, OF_CHANGING)
FAULTY(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags), -1, OF_CHANGING)
FAULTY(int, fchmod, (int fd, mode_t mode), (fd, mode), -1, OF_CHANGING)
FAULTY(int, fchmodat, (int dir, const char *path, mode_t mode, int flags), (dir, path, mode, flags), -1, OF_CHANGING)
FAULTY(int, flock, (int fd, int how), (fd, how), -1, CODES(ENOLCK, EINTR))
FAULTY(int, poll, (struct pollfd * elements, nfds_t count, int timeout), (elements, count, timeout), -1,
       CODES(ENOMEM, EINTR))
FAULTY(int, eventfd, (unsigned count, int flags), (count, flags), -1, CODES(EMFILE, ENOMEM))
FAULTY(int, socketpair, (int family, int type, int protocol, int to[2]), (family, type, protocol, to), -1,
       CODES(EMFILE, ENOMEM))
FAULTY(ssize_t, send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags), -1,
       CODES(ENOMEM, EINTR))
FAULTY(ssize_t, recv, (int fd, void *to, size_t size, int flags), (fd, to, size, flags), -1, CODES(ENOMEM, EINTR))
FAULTY(int, waitid, (idtype_t type, id_t id, siginfo_t *to, int options), (type, id, to, options), -1, CODES(EINTR))
FAULTY(ssize_t, getrandom, (void *to, size_t size, unsigned flags), (to, size, flags), -1, CODES(ENOSYS, EINTR))
FAULTY(int, nanosleep, (const struct timespec *time, struct timespec *left), (time, left), -1, CODES(EINTR))
FAULTY(int, isatty, (int fd), (fd), 0, CODES(EIO))

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  int code = NEXT(open, OF_OPENING);
  if (!code) return __real_open(path, flags, mode);
  errno = code;
  return -1;
}

int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  int code = NEXT(openat, OF_OPENING);
  if (!code) return __real_openat(dir, path, flags, mode);
  errno = code;
  return -1;
}

int __real_fcntl(int fd, int what, ...);
int __wrap_fcntl(int fd, int what, ...);
int __wrap_fcntl(int fd, int what, ...) {
  va_list rest;
  va_start(rest, what);
  long argument = va_arg(rest, long);
  va_end(rest);
  int code = NEXT(fcntl, CODES(EMFILE));
  if (!code) return __real_fcntl(fd, what, argument);
  errno = code;
  return -1;
}

int __real_pthread_create(pthread_t *to, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *to, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *to, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
  int code = NEXT(pthread_create, CODES(EAGAIN, ENOMEM));
  return code ? code : __real_pthread_create(to, attributes, run, argument);
}

static int next_raw(long number) {
  switch (number) {
  case SYS_pidfd_open:
    return NEXT(pidfd_open, CODES(EMFILE, ENOMEM, EPERM));
  case SYS_pidfd_send_signal:
    return NEXT(pidfd_send_signal, CODES(EPERM, ENOMEM));
  case SYS_clone3:
    return NEXT(clone3, CODES(EAGAIN, ENOMEM, EPERM));
  case SYS_renameat2:
    return NEXT(renameat2, CODES(EIO, EINVAL, ENOSPC, EACCES));
  case SYS_bpf:
    return NEXT(bpf, CODES(EPERM, ENOMEM, EINVAL, EMFILE));
  case SYS_capget:
    return NEXT(capget, CODES(EPERM));
  case SYS_openat2:
    return NEXT(openat2, CODES(EAGAIN, EMFILE, EACCES));
  default:
    return NEXT(syscall, CODES(EPERM, ENOSYS));
  }
}

/* As many as any call takes: what the caller did not give is not looked at by the kernel either, and here it may be
 * what a sanitizer guards. */
long __real_syscall(long number, ...);
__attribute__((no_sanitize("address"))) long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...) {
  long all[6];
  va_list rest;
  va_start(rest, number);
  for (int i = 0; i < 6; i++) all[i] = va_arg(rest, long);
  va_end(rest);
  int code = next_raw(number);
  if (!code) return __real_syscall(number, all[0], all[1], all[2], all[3], all[4], all[5]);
  errno = code;
  return -1;
}
