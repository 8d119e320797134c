/* private_file.c: the files in a private folder: read whole, replaced at once, grown at the end, locked.
 *
 * call            | purpose                         | blocks
 * flock           | the lock between processes      | never (LOCK_NB): asked again every 10 ms until the time limit,
 * since |                                 | flock has no form with one fdatasync,fsync | what was written survives | as
 * long as the disk takes; tmpfs: not at all getrandom       | unpredictable bytes             | only in the first
 * seconds of a boot SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "os/clock.h"
#include "os/linux/fd.h"
#include "os/linux/os_error.h"
#include "os/linux/private.h"
#include "os/linux/private_file.h"

enum { LOCK_POLL_MS = 10, MAX_TEXT = 512 };

struct rsm__file {
  int fd;
  char *path;
};

struct rsm__lock {
  int fd;
  pid_t owner; /* a forked child shares the lock and must not open it for us */
};

/* ---- Opening one file ---- */

/* A plain file of the folder's owner; O_NONBLOCK so that a FIFO put here cannot hold us up. */
static rsm_status open_plain(rsm__dir *dir, const char *name, int flags, int *ret_fd, struct stat *ret_stat,
                             rsm_error *reterr) {
  rsm_status status = rsm__dir_check_name(dir, name, reterr);
  if (status != RSM_OK) return status;
  char text[MAX_TEXT];
  rsm__dir_text(dir, name, text, sizeof text);
  RSM_CLEAN_FD int fd = openat(dir->fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0600);
  if (fd < 0 && errno == ELOOP) return rsm__fail(reterr, RSM_ACCESS_DENIED, text, "is a symbolic link");
  if (fd < 0) return rsm__fail_errno(reterr, errno, "openat", text);
  if (fstat(fd, ret_stat) < 0) return rsm__fail_errno(reterr, errno, "fstat", text);
  if (!S_ISREG(ret_stat->st_mode)) return rsm__fail(reterr, RSM_ACCESS_DENIED, text, "is not a plain file");
  if (ret_stat->st_uid != dir->uid)
    return rsm__fail(reterr, RSM_ACCESS_DENIED, text, "belongs to uid %u, must belong to uid %u",
                     (unsigned)ret_stat->st_uid, (unsigned)dir->uid);
  *ret_fd = rsm__fd_take(&fd);
  return RSM_OK;
}

/* Reads to the end but never more than limit + 1 bytes: the file may be growing. 0 or errno. */
static int read_all(int fd, size_t limit, rsm__buffer *content) {
  char chunk[16384];
  while (content->length <= limit) {
    size_t want = limit + 1 - content->length;
    ssize_t got = read(fd, chunk, want < sizeof chunk ? want : sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return 0;
    rsm__buffer_put(content, chunk, (size_t)got);
    if (content->failed) return ENOMEM;
  }
  return 0;
}

rsm_status rsm__dir_read(rsm__dir *dir, const char *name, size_t limit, rsm__buffer *ret_content, rsm_error *reterr) {
  RSM_CLEAN_FD int fd = -1;
  struct stat st;
  rsm_status status = open_plain(dir, name, O_RDONLY, &fd, &st, reterr);
  if (status != RSM_OK) return status;
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  int code = st.st_size > 0 && (uint64_t)st.st_size > limit ? EFBIG : read_all(fd, limit, &content);
  char text[MAX_TEXT];
  rsm__dir_text(dir, name, text, sizeof text);
  if (code == EFBIG || content.length > limit)
    return rsm__fail(reterr, RSM_MORE_DATA, text, "is longer than the %zu bytes that are read", limit);
  if (code) return rsm__fail_errno(reterr, code, "read", text);
  rsm__buffer_done(ret_content);
  *ret_content = content;
  content = (rsm__buffer){0};
  return RSM_OK;
}

/* ---- Replacing a file ---- */

static int write_all(int fd, const void *data, size_t length) {
  const char *bytes = data;
  while (length) {
    ssize_t put = write(fd, bytes, length);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    bytes += put;
    length -= (size_t)put;
  }
  return 0;
}

/* Writes the temporary file and renames it over `name`. 0 or errno; *ret_call names what failed. */
static int write_and_rename(rsm__dir *dir, const char *temporary, const char *name, const void *data, size_t length,
                            const char **ret_call) {
  *ret_call = "openat";
  RSM_CLEAN_FD int fd = openat(dir->fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  *ret_call = "fchmod";
  if (fchmod(fd, 0600) < 0) return errno;
  *ret_call = "write";
  int code = write_all(fd, data, length);
  if (code) return code;
  *ret_call = "fdatasync";
  if (fdatasync(fd) < 0) return errno;
  *ret_call = "renameat";
  return renameat(dir->fd, temporary, dir->fd, name) < 0 ? errno : 0;
}

rsm_status rsm__dir_write(rsm__dir *dir, const char *name, const void *data, size_t length, rsm_error *reterr) {
  rsm_status status = rsm__dir_check_name(dir, name, reterr);
  uint64_t unique = 0;
  if (status == RSM_OK) status = rsm__random(&unique, sizeof unique, reterr);
  if (status != RSM_OK) return status;
  char temporary[40], text[MAX_TEXT];
  snprintf(temporary, sizeof temporary, RSM__TEMPORARY_PREFIX "%016llx", (unsigned long long)unique);
  const char *call = NULL;
  int code = write_and_rename(dir, temporary, name, data, length, &call);
  if (code) {
    if (code != EEXIST) unlinkat(dir->fd, temporary, 0);
    return rsm__fail_errno(reterr, code, call, rsm__dir_text(dir, name, text, sizeof text));
  }
  /* Renamed is replaced, for everybody: a failure now must not be told as if nothing had been done. Only a crash of the
   * system could still undo it, and what is kept here says nothing about another boot. */
  (void)fsync(dir->fd);
  return RSM_OK;
}

/* ---- A file that grows ---- */

/* Takes *fd on success. */
static rsm_status new_file(int *fd, const rsm__dir *dir, const char *name, rsm__file **ret_file, rsm_error *reterr) {
  char text[MAX_TEXT];
  rsm__file *file = rsm__calloc(1, sizeof *file);
  char *path = rsm__strdup(rsm__dir_text(dir, name, text, sizeof text));
  if (!file || !path) {
    rsm__free(file);
    rsm__free(path);
    return rsm__fail_memory(reterr);
  }
  *file = (rsm__file){.fd = rsm__fd_take(fd), .path = path};
  *ret_file = file;
  return RSM_OK;
}

/* Readable, too: a launch reads back its record through the same descriptor. */
rsm_status rsm__file_create(rsm__dir *dir, const char *name, rsm__file **ret_file, rsm_error *reterr) {
  RSM_CLEAN_FD int fd = -1;
  struct stat st;
  rsm_status status = open_plain(dir, name, O_RDWR | O_APPEND | O_CREAT | O_EXCL, &fd, &st, reterr);
  if (status != RSM_OK) return status;
  if ((st.st_mode & 0777u) != 0600u && fchmod(fd, 0600) < 0) status = rsm__fail_errno(reterr, errno, "fchmod", name);
  if (status == RSM_OK) status = new_file(&fd, dir, name, ret_file, reterr);
  if (status != RSM_OK) unlinkat(dir->fd, name, 0);
  return status;
}

rsm_status rsm__file_reopen(rsm__dir *dir, const char *name, uint64_t length, rsm__file **ret_file, rsm_error *reterr) {
  RSM_CLEAN_FD int fd = -1;
  struct stat st;
  rsm_status status = open_plain(dir, name, O_RDWR | O_APPEND, &fd, &st, reterr);
  if (status != RSM_OK) return status;
  char text[MAX_TEXT];
  rsm__dir_text(dir, name, text, sizeof text);
  if ((uint64_t)st.st_size < length)
    return rsm__fail(reterr, RSM_WRITE_FAULT, text, "is shorter than the %llu bytes that it had",
                     (unsigned long long)length);
  if ((uint64_t)st.st_size > length && ftruncate(fd, (off_t)length) < 0)
    return rsm__fail_errno(reterr, errno, "ftruncate", text);
  return new_file(&fd, dir, name, ret_file, reterr);
}

/* One writer a file: so what stands at the end after a short write is ours, and can be cut off again. If even that
 * fails the reader sees a torn record and ignores it. */
rsm_status rsm__file_append(rsm__file *file, const void *data, size_t length, rsm_error *reterr) {
  struct stat before;
  if (fstat(file->fd, &before) < 0) return rsm__fail_errno(reterr, errno, "fstat", file->path);
  ssize_t put;
  do put = write(file->fd, data, length);
  while (put < 0 && errno == EINTR);
  int code = errno;
  if (put >= 0 && (size_t)put == length) return RSM_OK;
  if (put < 0) return rsm__fail_errno(reterr, code, "write", file->path);
  if (put > 0 && ftruncate(file->fd, before.st_size) < 0)
    return rsm__fail_errno(reterr, errno, "ftruncate", file->path);
  return rsm__fail_errno(reterr, ENOSPC, "write", file->path);
}

rsm_status rsm__file_sync(rsm__file *file, rsm_error *reterr) {
  return fdatasync(file->fd) < 0 ? rsm__fail_errno(reterr, errno, "fdatasync", file->path) : RSM_OK;
}

rsm__file *rsm__file_close(rsm__file *file) {
  if (!file) return NULL;
  rsm__fd_close(&file->fd);
  rsm__free(file->path);
  rsm__free(file);
  return NULL;
}

int rsm__file_descriptor(const rsm__file *file) {
  return file->fd;
}

/* ---- The lock ---- */

static void sleep_ms(uint32_t ms) {
  struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000L};
  nanosleep(&time, NULL); /* EINTR: asked again a little sooner */
}

/* True if the locked file is still the one of that name: somebody may have removed it between open and flock. */
static bool is_current(const rsm__dir *dir, const char *name, int fd) {
  struct stat ours, theirs;
  return fstat(fd, &ours) == 0 && fstatat(dir->fd, name, &theirs, AT_SYMLINK_NOFOLLOW) == 0 &&
         ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

/* RSM_PENDING: held by somebody else, or removed under us: ask again. */
static rsm_status try_lock(rsm__dir *dir, const char *name, int *ret_fd, rsm_error *reterr) {
  RSM_CLEAN_FD int fd = -1;
  struct stat st;
  rsm_status status = open_plain(dir, name, O_RDWR | O_CREAT, &fd, &st, reterr);
  if (status != RSM_OK) return status;
  if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
    int code = errno;
    char text[MAX_TEXT];
    if (code == EWOULDBLOCK || code == EINTR) return RSM_PENDING;
    return rsm__fail_errno(reterr, code, "flock", rsm__dir_text(dir, name, text, sizeof text));
  }
  if (!is_current(dir, name, fd)) return RSM_PENDING;
  *ret_fd = rsm__fd_take(&fd);
  return RSM_OK;
}

rsm_status rsm__lock_acquire(rsm__dir *dir, const char *name, uint32_t timeout_ms, rsm__lock **ret_lock,
                             rsm_error *reterr) {
  uint64_t deadline = rsm__clock_ms() + timeout_ms;
  rsm__lock *lock = rsm__calloc(1, sizeof *lock);
  if (!lock) return rsm__fail_memory(reterr);
  *lock = (rsm__lock){.fd = -1, .owner = getpid()};
  rsm_status status;
  while ((status = try_lock(dir, name, &lock->fd, reterr)) == RSM_PENDING && rsm__clock_ms() < deadline)
    sleep_ms(LOCK_POLL_MS);
  if (status == RSM_OK) {
    *ret_lock = lock;
    return RSM_OK;
  }
  rsm__free(lock);
  char text[MAX_TEXT];
  if (status == RSM_PENDING)
    status = rsm__fail(reterr, RSM_SEM_TIMEOUT, rsm__dir_text(dir, name, text, sizeof text),
                       "somebody else has held the lock for %u ms", (unsigned)timeout_ms);
  return status;
}

/* Unlocked in so many words, not only closed: a process that our host has forked meanwhile has the descriptor, too, and
 * would hold the lock as long as it lives. In that process itself, closing must not take it away from us. */
rsm__lock *rsm__lock_release(rsm__lock *lock) {
  if (!lock) return NULL;
  if (lock->owner == getpid()) flock(lock->fd, LOCK_UN);
  rsm__fd_close(&lock->fd);
  rsm__free(lock);
  return NULL;
}

int rsm__lock_descriptor(const rsm__lock *lock) {
  return lock->fd;
}

rsm_status rsm__random(void *bytes, size_t length, rsm_error *reterr) {
  char *to = bytes;
  while (length) {
    ssize_t got = getrandom(to, length, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return rsm__fail_errno(reterr, errno, "getrandom", NULL);
    to += got;
    length -= (size_t)got;
  }
  return RSM_OK;
}
