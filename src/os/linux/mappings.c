/* mappings.c: see mappings.h. SPDX-License-Identifier: MIT
 *
 * call                       | purpose                   | blocks on
 * open, read /proc/PID/maps  | device, inode, name       | the process' memory lock (a page fault of its own that
 *                            |                           | waits for a mount can hold it), its exec under way
 * ioctl PROCMAP_QUERY        | the same of one mapping   | the same
 */
#define _GNU_SOURCE
#include "os/linux/mappings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "os/linux/fd.h"

enum { MAPS_LIMIT = 512 * 1024 * 1024, CHUNK_SIZE = 4096 };

/* As in the kernel's <linux/fs.h>, which may be older than the kernel that runs. */
typedef struct map_query {
  uint64_t size;
  uint64_t query_flags;
  uint64_t query_addr;
  uint64_t start, end;
  uint64_t flags;
  uint64_t page_size;
  uint64_t offset;
  uint64_t inode;
  uint32_t dev_major, dev_minor;
  uint32_t name_size; /* of the buffer; 0: no name wanted */
  uint32_t build_id_size;
  uint64_t name;
  uint64_t build_id;
} map_query;

#define MAP_QUERY _IOWR('f', 17, map_query)

enum { IS_WRITABLE = 2, IS_SHARED = 8, OR_THE_NEXT = 16, OF_FILES_ONLY = 32 };

/* 0 or errno; ENOENT: there is none. */
static int query(const rsm__mappings *m, map_query *q) {
  int result;
  do result = ioctl(m->fd, MAP_QUERY, q);
  while (result < 0 && errno == EINTR);
  return result < 0 ? errno : 0;
}

static int query_next(rsm__mappings *m, rsm__mapping *ret_mapping) {
  map_query q = {.size = sizeof q, .query_flags = OR_THE_NEXT | OF_FILES_ONLY, .query_addr = m->next};
  int code = query(m, &q);
  rsm__bounded_tick(m->job);
  if (code != 0) return code;
  m->next = q.end;
  *ret_mapping = (rsm__mapping){.start = q.start,
                                .end = q.end,
                                .write = (q.flags & IS_WRITABLE) != 0,
                                .shared = (q.flags & IS_SHARED) != 0,
                                .dev = makedev(q.dev_major, q.dev_minor),
                                .ino = q.inode};
  return 0;
}

/* 0 or errno. Not by rsm__procfs_read: a process with a million mappings takes its time, and each part is progress. */
static int read_whole(rsm__mappings *m) {
  char chunk[CHUNK_SIZE];
  m->text->length = 0;
  for (;;) {
    ssize_t got = read(m->fd, chunk, sizeof chunk);
    int code = errno;
    if (got < 0 && code == EINTR) continue;
    if (got < 0) return code;
    if (got == 0) break;
    rsm__buffer_put(m->text, chunk, (size_t)got);
    if (m->text->failed) return ENOMEM;
    if (m->text->length > MAPS_LIMIT) return EFBIG;
    rsm__bounded_tick(m->job);
  }
  m->maps = (rsm__maps){.text = (const char *)m->text->data, .length = m->text->length};
  return 0;
}

int rsm__mappings_open(rsm__mappings *m, int dir, rsm__buffer *text, rsm__bounded *job) {
  *m = (rsm__mappings){.text = text, .job = job, .by_query = true};
  m->fd = openat(dir, "maps", O_RDONLY | O_CLOEXEC);
  return m->fd < 0 ? errno : 0;
}

void rsm__mappings_done(rsm__mappings *m) {
  rsm__fd_close(&m->fd);
}

void rsm__mappings_seek(rsm__mappings *m, uint64_t address) {
  m->next = address;
}

bool rsm__mappings_next(rsm__mappings *m, rsm__mapping *ret_mapping, int *ret_code) {
  *ret_code = 0;
  while (m->by_query) {
    int code = query_next(m, ret_mapping);
    if (code == 0 && ret_mapping->ino == 0) continue;
    if (code == 0) return true;
    if (code == ENOENT) return false;
    /* It cannot, or somebody (a sandbox) does not let it: the text tells all, from the beginning. */
    m->by_query = false;
    *ret_code = read_whole(m);
    if (*ret_code != 0) return false;
  }
  return rsm__maps_next(&m->maps, ret_mapping);
}

int rsm__mappings_name(rsm__mappings *m, rsm__mapping *mapping) {
  char name[PATH_MAX];
  if (!m->by_query) return 0; /* it is there */
  map_query q = {.size = sizeof q, .query_addr = mapping->start, .name_size = sizeof name, .name = (uintptr_t)name};
  mapping->name_length = 0;
  int code = query(m, &q);
  bool same = code == 0 && q.inode == mapping->ino && makedev(q.dev_major, q.dev_minor) == mapping->dev;
  if (code == ENOMEM) return code;
  if (!same || q.name_size <= 1) return 0; /* gone meanwhile, or longer than any path that we could be asked about */
  m->text->length = 0;
  rsm__buffer_put(m->text, name, q.name_size - 1);
  if (m->text->failed) return ENOMEM;
  mapping->name = (const char *)m->text->data;
  mapping->name_length = m->text->length;
  return 0;
}
