/* private_dir.c: finding, opening and checking the folders.
 *
 * Every step of a path is opened below the step before it, never through a link, and what was opened is checked (not
 * what the name meant a moment ago). The parents belong to root or the user and can be changed by nobody else, or are
 * sticky like /var/tmp, where nobody can take our folder away. Local file systems only: nothing here blocks for long.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os/linux/private.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>

#include "os/linux/fd.h"
#include "os/linux/os_error.h"

enum { TEMPORARY_AGE_S = 3600, REMOVE_ROUNDS = 8 };

const char *rsm__dir_text(const rsm__dir *dir, const char *name, char *text, size_t size) {
  snprintf(text, size, "%s%s%s", dir->path, dir->path[1] ? "/" : "", name);
  return text;
}

rsm_status rsm__dir_check_name(const rsm__dir *dir, const char *name, rsm_error *reterr) {
  if (name && name[0] && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) return RSM_OK;
  return rsm__fail(reterr, RSM_BAD_ARGUMENTS, dir->path, "'%s' is not a file's name", name ? name : "");
}

/* A parent may be changed by others only if it is sticky: they cannot take away or replace what is ours then. */
typedef enum folder_kind { FOLDER_PARENT, FOLDER_PRIVATE } folder_kind;

static rsm_status check_folder(int fd, const char *path, uint32_t uid, folder_kind kind, rsm_error *reterr) {
  struct stat st;
  if (fstat(fd, &st) < 0) return rsm__fail_errno(reterr, errno, "fstat", path);
  unsigned mode = st.st_mode & 07777u;
  if (st.st_uid != uid)
    return rsm__fail(reterr, RSM_ACCESS_DENIED, path, "belongs to uid %u, must belong to uid %u", (unsigned)st.st_uid,
                     (unsigned)uid);
  if (kind == FOLDER_PRIVATE && (mode & 077u))
    return rsm__fail(reterr, RSM_ACCESS_DENIED, path, "can be read or written by others (mode %04o); must be 0700",
                     mode);
  if (kind == FOLDER_PARENT && (mode & 022u) && !(mode & S_ISVTX))
    return rsm__fail(reterr, RSM_ACCESS_DENIED, path, "can be changed by others (mode %04o)", mode);
  return RSM_OK;
}

/* Why `name` could not be opened as a folder, in words where errno is vague: a link gives ELOOP or ENOTDIR. */
static rsm_status fail_open_folder(int parent, const char *name, int code, const char *path, rsm_error *reterr) {
  struct stat st;
  if (code == ENOENT) return rsm__fail(reterr, RSM_NOT_FOUND, path, "there is no such folder");
  if ((code == ELOOP || code == ENOTDIR) && fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
    return rsm__fail(reterr, RSM_ACCESS_DENIED, path, "is %s",
                     S_ISLNK(st.st_mode) ? "a symbolic link" : "not a folder");
  return rsm__fail_errno(reterr, code, "openat", path);
}

/* Opens `name` below `parent`. Between mkdirat and openat somebody may put another thing there: then it is refused,
 * since it is checked as opened. */
static rsm_status open_folder(int parent, const char *name, const char *path, uint32_t uid, folder_kind kind,
                              bool create, int *ret_fd, rsm_error *reterr) {
  bool made = false;
  if (create) {
    made = mkdirat(parent, name, 0700) == 0;
    int code = errno;
    if (!made && code == ENOENT) return rsm__fail(reterr, RSM_NOT_FOUND, path, "its parent folder does not exist");
    if (!made && code != EEXIST) return rsm__fail_errno(reterr, code, "mkdirat", path);
  }
  /* A parent needs to be passed through, not read: /run/user/UID's own parents may be closed to us. */
  int flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | (kind == FOLDER_PARENT ? O_PATH : O_RDONLY);
  RSM_CLEAN_FD int fd = openat(parent, name, flags);
  if (fd < 0 && errno == EACCES && made && fchmodat(parent, name, 0700, 0) == 0) /* a umask that takes our own rights */
    fd = openat(parent, name, flags);
  if (fd < 0) return fail_open_folder(parent, name, errno, path, reterr);
  struct stat st;
  if (made && fstat(fd, &st) == 0 && st.st_uid == uid && (st.st_mode & 0777u) != 0700u && fchmod(fd, 0700) < 0)
    return rsm__fail_errno(reterr, errno, "fchmod", path);
  rsm_status status = check_folder(fd, path, uid, kind, reterr);
  if (status == RSM_OK) *ret_fd = rsm__fd_take(&fd);
  return status;
}

/* Takes *fd on success. */
static rsm_status new_dir(int *fd, uint32_t uid, const char *path, rsm__dir **ret_dir, rsm_error *reterr) {
  rsm__dir *dir = rsm__calloc(1, sizeof *dir);
  char *copy = rsm__strdup(path);
  if (!dir || !copy) {
    rsm__free(dir);
    rsm__free(copy);
    return rsm__fail_memory(reterr);
  }
  *dir = (rsm__dir){.fd = rsm__fd_take(fd), .uid = uid, .path = copy};
  *ret_dir = dir;
  return RSM_OK;
}

/* ---- The places ---- */

typedef struct place_step {
  char name[40];
  uint32_t owner;
} place_step;

enum { MAX_STEPS = 4 };

/* The components of a place from the root on; the last one is the private folder. 0: there is no such place. */
static size_t place_steps(uint32_t uid, unsigned place, place_step steps[MAX_STEPS]) {
  size_t count = 0;
  if (place == 0) {
    steps[count++] = (place_step){.name = "run", .owner = 0};
    if (uid != 0) {
      steps[count++] = (place_step){.name = "user", .owner = 0};
      snprintf(steps[count].name, sizeof steps[count].name, "%u", (unsigned)uid);
      steps[count++].owner = uid;
    }
    steps[count++] = (place_step){.name = "restartmanager", .owner = uid};
  } else if (place == 1) {
    steps[count++] = (place_step){.name = "var", .owner = 0};
    steps[count++] = (place_step){.name = "tmp", .owner = 0};
    snprintf(steps[count].name, sizeof steps[count].name, "restartmanager-%u", (unsigned)uid);
    steps[count++].owner = uid;
  }
  return count;
}

rsm_status rsm__private_place_open(uint32_t uid, unsigned place, bool create, rsm__dir **ret_dir, rsm_error *reterr) {
  place_step steps[MAX_STEPS] = {0};
  size_t count = place_steps(uid, place, steps);
  if (count == 0)
    return rsm__fail(reterr, RSM_INVALID_PARAMETER, NULL, "there is no place %u for a private folder", place);
  char path[256] = "/";
  if (create && uid != (uint32_t)geteuid())
    return rsm__fail(reterr, RSM_ACCESS_DENIED, NULL, "a private folder is made by its own user only");
  RSM_CLEAN_FD int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return rsm__fail_errno(reterr, errno, "open", path);
  size_t length = 0;
  for (size_t i = 0; i < count; i++) {
    bool last = i + 1 == count;
    length += (size_t)snprintf(path + length, sizeof path - length, "/%s", steps[i].name);
    int next = -1;
    rsm_status status = open_folder(fd, steps[i].name, path, steps[i].owner, last ? FOLDER_PRIVATE : FOLDER_PARENT,
                                    create && last, &next, reterr);
    if (status != RSM_OK) return status;
    rsm__fd_close(&fd);
    fd = next;
  }
  return new_dir(&fd, uid, path, ret_dir, reterr);
}

/* Asked of the file system that really carries the folder: /run is a disk on some systems, /var/tmp is memory on
 * others. */
bool rsm__private_place_in_memory(unsigned place) {
  rsm__dir *dir = NULL;
  if (rsm__private_place_open((uint32_t)geteuid(), place, false, &dir, NULL) != RSM_OK || !dir) return false;
  struct statfs fs;
  bool in_memory = fstatfs(dir->fd, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
  rsm__dir_close(dir);
  return in_memory;
}

/* ---- A folder ---- */

rsm_status rsm__dir_open(rsm__dir *parent, const char *name, bool create, rsm__dir **ret_dir, rsm_error *reterr) {
  rsm_status status = rsm__dir_check_name(parent, name, reterr);
  if (status != RSM_OK) return status;
  char path[512];
  rsm__dir_text(parent, name, path, sizeof path);
  RSM_CLEAN_FD int fd = -1;
  status = open_folder(parent->fd, name, path, parent->uid, FOLDER_PRIVATE, create, &fd, reterr);
  return status == RSM_OK ? new_dir(&fd, parent->uid, path, ret_dir, reterr) : status;
}

rsm__dir *rsm__dir_close(rsm__dir *dir) {
  if (!dir) return NULL;
  rsm__fd_close(&dir->fd);
  rsm__free(dir->path);
  rsm__free(dir);
  return NULL;
}

bool rsm__dir_is_removed(const rsm__dir *dir) {
  struct stat st;
  return fstat(dir->fd, &st) == 0 && st.st_nlink == 0;
}

static void close_stream(DIR **stream) {
  if (*stream) closedir(*stream);
}

/* A stream of its own position: the descriptor of the folder is shared with forked processes. */
static DIR *open_stream(int dir_fd) {
  int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *stream = fd < 0 ? NULL : fdopendir(fd);
  if (!stream) rsm__fd_close(&fd);
  return stream;
}

static bool is_dots(const char *name) {
  return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* Removes what a writer that died between writing and renaming has left. By age, not by its writer's pid: that may live
 * in another pid namespace. */
static void sweep_temporary(const rsm__dir *dir, const char *name) {
  struct stat st;
  if (dir->uid != (uint32_t)geteuid() || fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) return;
  if (st.st_mtime + TEMPORARY_AGE_S < time(NULL)) unlinkat(dir->fd, name, 0);
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

rsm_status rsm__dir_names(rsm__dir *dir, size_t limit, rsm__arena *arena, const char *const **ret_names,
                          size_t *ret_count, rsm_error *reterr) {
  RSM_CLEAN(close_stream) DIR *stream = open_stream(dir->fd);
  if (!stream) return rsm__fail_errno(reterr, errno, "opendir", dir->path);
  RSM_CLEAN_FREE char **names = NULL;
  size_t count = 0, capacity = 0;
  struct dirent *entry = NULL;
  while (count < limit && (errno = 0, entry = readdir(stream)) != NULL) {
    if (is_dots(entry->d_name)) continue;
    if (strncmp(entry->d_name, RSM__TEMPORARY_PREFIX, strlen(RSM__TEMPORARY_PREFIX)) == 0) {
      sweep_temporary(dir, entry->d_name);
      continue;
    }
    char *name = rsm__arena_strdup(arena, entry->d_name);
    if (!name || rsm__grow(&names, &capacity, count + 1, sizeof *names) < 0) return rsm__fail_memory(reterr);
    names[count++] = name;
  }
  if (count < limit && errno) return rsm__fail_errno(reterr, errno, "readdir", dir->path);
  const char **kept = rsm__arena_alloc(arena, (count + 1) * sizeof *kept);
  if (!kept) return rsm__fail_memory(reterr);
  if (count) {
    memcpy(kept, names, count * sizeof *kept);
    qsort(kept, count, sizeof *kept, compare_names);
  }
  *ret_names = kept;
  *ret_count = count;
  return RSM_OK;
}

/* Where the file system cannot do it at once (or the call is not there), look first: only this user's own processes
 * could come in between, and they agree on a lock or on random names. */
rsm_status rsm__dir_rename(rsm__dir *dir, const char *from, const char *to, rsm_error *reterr) {
  rsm_status status = rsm__dir_check_name(dir, from, reterr);
  if (status == RSM_OK) status = rsm__dir_check_name(dir, to, reterr);
  if (status != RSM_OK) return status;
  char text[512];
  rsm__dir_text(dir, to, text, sizeof text);
  if (syscall(SYS_renameat2, dir->fd, from, dir->fd, to, RENAME_NOREPLACE) == 0) return RSM_OK;
  int code = errno;
  if (code == EINVAL || code == ENOSYS || code == EPERM) {
    struct stat st;
    if (fstatat(dir->fd, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
      code = EEXIST;
    else if (renameat(dir->fd, from, dir->fd, to) == 0)
      return RSM_OK;
    else
      code = errno;
  }
  return rsm__fail_errno(reterr, code, "renameat2",
                         code == ENOENT ? rsm__dir_text(dir, from, text, sizeof text) : text);
}

/* One level: a folder of ours holds files only. Others may still write in it, so a few rounds. */
static int remove_folder(int parent, const char *name) {
  RSM_CLEAN_FD int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno;
  for (int round = 0; round < REMOVE_ROUNDS; round++) {
    RSM_CLEAN(close_stream) DIR *stream = open_stream(fd);
    if (!stream) return errno;
    struct dirent *entry = NULL;
    while ((entry = readdir(stream)) != NULL)
      if (!is_dots(entry->d_name) && unlinkat(fd, entry->d_name, 0) < 0 && errno != ENOENT) return errno;
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return 0;
    if (errno != ENOTEMPTY && errno != EEXIST) return errno;
  }
  return ENOTEMPTY;
}

rsm_status rsm__dir_remove(rsm__dir *dir, const char *name, rsm_error *reterr) {
  rsm_status status = rsm__dir_check_name(dir, name, reterr);
  if (status != RSM_OK) return status;
  if (unlinkat(dir->fd, name, 0) == 0 || errno == ENOENT) return RSM_OK;
  int code = errno;
  if (code == EISDIR || code == EPERM) code = remove_folder(dir->fd, name);
  if (code == 0 || code == ENOENT) return RSM_OK;
  char text[512];
  return rsm__fail_errno(reterr, code, "unlinkat", rsm__dir_text(dir, name, text, sizeof text));
}
