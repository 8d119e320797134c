/* resolve.c: follows paths component by component, so that each step touches one known place: before it, the thread
 * says which, and a place on a mount that did not answer is not touched at all. SPDX-License-Identifier: MIT
 *
 * call        | purpose                       | blocks on
 * statx, open | is it there, what is it       | the file system's server; the caller gives this thread up
 * readlink    | where a link leads            | the same
 *
 * A race remains, as with every path: what a name leads to may change the moment after. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/linux/fd.h"
#include "base/index.h"
#include "os/linux/lookup.h"

enum { MOST_LINKS = 40 };

/* Directories by text: by their real name and by the name under which a path asked for them. */
typedef struct known_dir {
  const char *text;
  size_t length;
  const rsm__place_dir *dir;
} known_dir;

typedef struct walker {
  rsm__bounded *job;
  const rsm__dead_mounts *dead;
  rsm__arena *arena;
  rsm__index index;
  known_dir *known;
  size_t known_capacity;
  const rsm__place_dir *root;
  const rsm__place_dir *latest; /* where the last path ended */
  int latest_fd;                /* it, from the second path on; -1 */
  rsm__buffer step;             /* the text being touched */
  rsm__buffer pending[2];       /* the rest of the way once a link was followed: one is read while the other is made */
  bool names_only;              /* nobody asks what a path's end is */
  bool no_memory;
} walker;

/* One path on its way. */
typedef struct way {
  const rsm__place_dir *dir; /* so far */
  const char *rest;          /* still to go; in the path or in a pending buffer */
  unsigned links;
  size_t prefix_length; /* of the path's own directory part, to be remembered; 0: not to be */
} way;

int rsm__stat_at(int dir, const char *name, int flags, rsm__stat *ret_stat) {
  struct statx x;
  const unsigned mask = STATX_TYPE | STATX_MODE | STATX_INO | STATX_NLINK | STATX_MNT_ID;
  if (statx(dir, name, flags | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, mask, &x) < 0) return errno;
  ret_stat->dev = makedev(x.stx_dev_major, x.stx_dev_minor);
  ret_stat->ino = x.stx_ino;
  ret_stat->mount_id = (x.stx_mask & STATX_MNT_ID) ? x.stx_mnt_id : 0;
  ret_stat->mode = x.stx_mode;
  ret_stat->links = x.stx_nlink;
  return 0;
}

static const rsm__place_dir *known_find(const walker *w, const char *text, size_t length) {
  uint64_t hash = rsm__hash_text(text, length);
  for (uint32_t i = rsm__index_first(&w->index, hash); i != RSM_INDEX_END; i = rsm__index_next(&w->index, i))
    if (w->known[i].length == length && memcmp(w->known[i].text, text, length) == 0) return w->known[i].dir;
  return NULL;
}

/* text stays where it is while the walker lives. */
static void known_add(walker *w, const char *text, size_t length, const rsm__place_dir *dir) {
  size_t count = w->index.count;
  if (rsm__grow(&w->known, &w->known_capacity, count + 1, sizeof *w->known) < 0 ||
      !rsm__index_add(&w->index, rsm__hash_text(text, length))) {
    w->no_memory = true;
    return;
  }
  w->known[count] = (known_dir){.text = text, .length = length, .dir = dir};
}

static const rsm__place_dir *dir_new(walker *w, const char *text, size_t length, const rsm__stat *stat) {
  rsm__place_dir *dir = rsm__arena_alloc(w->arena, sizeof *dir);
  char *real = dir ? rsm__arena_copy(w->arena, text, length) : NULL;
  if (!real) {
    w->no_memory = true;
    return NULL;
  }
  *dir = (rsm__place_dir){.real = real, .length = length, .stat = *stat};
  known_add(w, real, length, dir);
  return dir;
}

/* Makes step "dir/name". */
static bool step_to(walker *w, const rsm__place_dir *dir, const char *name, size_t length) {
  w->step.length = 0;
  rsm__buffer_put(&w->step, dir->real, dir->length);
  if (dir->length > 1) rsm__buffer_put_u8(&w->step, '/');
  rsm__buffer_put(&w->step, name, length);
  rsm__buffer_put_u8(&w->step, '\0');
  w->step.length--;
  if (w->step.failed) w->no_memory = true;
  return !w->step.failed;
}

static const char *step_text(const walker *w) {
  return (const char *)w->step.data;
}

/* True if step may be touched now. False: its mount does not answer, or nobody waits for us any more. */
static bool may_touch(walker *w) {
  return !rsm__dead_covers(w->dead, step_text(w)) && rsm__bounded_touch(w->job, step_text(w));
}

/* The place is step, plus what was still to go. */
static void set_real(walker *w, const way *at, const char *path, rsm__place *out) {
  size_t rest = strlen(at->rest);
  while (rest > 0 && at->rest[rest - 1] == '/') rest--;
  if (rest == 0 && strcmp(step_text(w), path) == 0) { /* the usual case costs no memory */
    out->real = path;
    return;
  }
  if (rest > 0 && at->rest[0] != '/') rsm__buffer_put_u8(&w->step, '/');
  rsm__buffer_put(&w->step, at->rest, rest);
  if (!w->step.failed) out->real = rsm__arena_copy(w->arena, (const char *)w->step.data, w->step.length);
  if (!out->real) w->no_memory = true;
}

static void finish(walker *w, const way *at, const char *path, int error, const rsm__stat *stat, rsm__place *out) {
  out->error = error;
  out->dir = at->dir;
  if (error == 0) out->stat = *stat;
  set_real(w, at, path, out);
}

/* Puts the link's target in front of the rest. 0 or errno. */
static int follow_link(walker *w, way *at) {
  char target[PATH_MAX];
  if (++at->links > MOST_LINKS) return ELOOP;
  ssize_t length = readlink(step_text(w), target, sizeof target);
  if (length < 0) return errno;
  if (length == 0) return ENOENT;
  rsm__buffer *next = &w->pending[at->links % 2];
  next->length = 0;
  rsm__buffer_put(next, target, (size_t)length);
  rsm__buffer_put_u8(next, '/');
  at->rest += strspn(at->rest, "/");
  rsm__buffer_put(next, at->rest, strlen(at->rest) + 1);
  if (next->failed) {
    w->no_memory = true;
    return ENOMEM;
  }
  if (target[0] == '/') at->dir = w->root;
  at->rest = (const char *)next->data;
  return 0;
}

static const rsm__place_dir *dir_above(walker *w, const rsm__place_dir *dir) {
  size_t length = dir->length;
  while (length > 1 && dir->real[length - 1] != '/') length--;
  if (length <= 2) return w->root;
  const rsm__place_dir *above = known_find(w, dir->real, length - 1);
  return above ? above : w->root; /* all on the way down were remembered */
}

/* Many files of one directory: from the second on they are looked up from there. -1: by the whole text. */
static int open_latest(walker *w, const rsm__place_dir *dir) {
  if (w->latest != dir) {
    rsm__fd_close(&w->latest_fd);
    w->latest = dir;
  } else if (w->latest_fd < 0) {
    w->latest_fd = open(dir->real, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  }
  return w->latest_fd;
}

/* Only whether it exists, and is a link: that costs two thirds of a whole look. */
static int look_for_link(int dir, const char *name, rsm__stat *ret_stat) {
  char first;
  ssize_t length = readlinkat(dir, name, &first, 1);
  if (length < 0 && errno != EINVAL) return errno;
  ret_stat->mode = length < 0 ? 0 : S_IFLNK;
  return 0;
}

static int look_at_step(walker *w, const rsm__place_dir *dir, bool last, rsm__stat *ret_stat) {
  int fd = last ? open_latest(w, dir) : -1;
  const char *name = step_text(w) + (fd < 0 || dir->length == 1 ? 0 : dir->length + 1);
  if (fd < 0) fd = AT_FDCWD;
  return last && w->names_only ? look_for_link(fd, name, ret_stat)
                               : rsm__stat_at(fd, name, AT_SYMLINK_NOFOLLOW, ret_stat);
}

/* Takes one component [name, name + length). True: the way ends here. */
static bool take_component(walker *w, way *at, const char *path, const char *name, size_t length, rsm__place *out) {
  bool last = at->rest[strspn(at->rest, "/")] == '\0';
  if (last && at->prefix_length > 0) {
    known_add(w, path, at->prefix_length, at->dir);
    at->prefix_length = 0;
  }
  if (!step_to(w, at->dir, name, length)) return true;
  const rsm__place_dir *known = last ? NULL : known_find(w, step_text(w), w->step.length);
  if (known) {
    at->dir = known;
    return false;
  }
  if (!may_touch(w)) return true;
  rsm__stat stat = {0};
  int error = look_at_step(w, at->dir, last, &stat);
  if (error == 0 && S_ISLNK(stat.mode)) {
    error = follow_link(w, at);
    if (error == 0) return false;
  } else if (error == 0 && !last) {
    if (S_ISDIR(stat.mode)) {
      at->dir = dir_new(w, step_text(w), w->step.length, &stat);
      return at->dir == NULL;
    }
    error = ENOTDIR;
  }
  finish(w, at, path, error, &stat, out);
  return true;
}

/* The directory part of a path that was asked for before is not walked again. */
static way way_begin(const walker *w, const char *path) {
  way at = {.dir = w->root, .rest = path};
  const char *slash = strrchr(path, '/');
  size_t length = slash ? (size_t)(slash - path) : 0;
  if (length == 0) return at;
  const rsm__place_dir *known = known_find(w, path, length);
  if (known) {
    at.dir = known;
    at.rest = slash + 1;
  } else {
    at.prefix_length = length;
  }
  return at;
}

static void resolve_one(walker *w, const char *path, rsm__place *out) {
  way at = way_begin(w, path);
  while (!w->no_memory) {
    at.rest += strspn(at.rest, "/");
    const char *name = at.rest;
    size_t length = strcspn(name, "/");
    at.rest += length;
    if (length == 0) break;
    if (length == 1 && name[0] == '.') continue;
    if (length == 2 && name[0] == '.' && name[1] == '.')
      at.dir = dir_above(w, at.dir);
    else if (take_component(w, &at, path, name, length, out))
      return;
  }
  if (w->no_memory) return;
  *out = (rsm__place){.real = at.dir->real, .stat = at.dir->stat, .dir = at.dir}; /* "/", or ended with ".." */
}

static bool walker_begin(walker *w) {
  rsm__stat stat = {0};
  if (!rsm__dead_covers(w->dead, "/") && rsm__bounded_touch(w->job, "/")) rsm__stat_at(AT_FDCWD, "/", 0, &stat);
  w->root = dir_new(w, "/", 1, &stat);
  return w->root != NULL;
}

static void walker_done(walker *w) {
  rsm__fd_close(&w->latest_fd);
  rsm__index_done(&w->index);
  rsm__free(w->known);
  rsm__buffer_done(&w->step);
  rsm__buffer_done(&w->pending[0]);
  rsm__buffer_done(&w->pending[1]);
}

bool rsm__resolve(rsm__bounded *job, const rsm__dead_mounts *dead, const rsm__paths *paths, rsm__arena *arena,
                  rsm__place *out) {
  RSM_CLEAN(walker_done)
  walker w = {.job = job, .dead = dead, .arena = arena, .latest_fd = -1, .names_only = paths->names_only};
  if (!walker_begin(&w)) return false;
  for (size_t i = 0; i < paths->count && !w.no_memory; i++) resolve_one(&w, paths->items[i], &out[i]);
  return !w.no_memory;
}
