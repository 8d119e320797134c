/* files.c: see os/files.h and lookup.h. SPDX-License-Identifier: MIT
 *
 * call             | purpose                        | blocks on
 * getcwd           | the base of a relative path    | nothing (the kernel's own names)
 * rsm__mounts_read | what did not answer lies there | nothing (the kernel's own list)
 */
#define _GNU_SOURCE
#include "os/files.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/linux/lookup.h"
#include "os/linux/mounts.h"
#include "os/linux/os_error.h"
#include "os/linux/processors.h"

/* ---- Absolute text ---- */

enum {
  LONGEST_DIRECTORY = 1024 * 1024,
  WORTH_TWO = 4096 /* paths: for fewer a second thread takes longer to start than it saves */
};

static rsm_status put_working_directory(rsm__buffer *text, rsm_error *reterr) {
  for (size_t size = 4096; size <= LONGEST_DIRECTORY; size *= 2) {
    RSM_CLEAN_FREE char *room = rsm__malloc(size);
    if (!room) return rsm__fail_memory(reterr);
    if (getcwd(room, size)) {
      if (room[0] != '/') break; /* "(unreachable)/...": outside of our root */
      rsm__buffer_put(text, room, strlen(room));
      return RSM_OK;
    }
    if (errno != ERANGE) return rsm__fail_errno(reterr, errno, "getcwd", NULL);
  }
  return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "the working directory has no usable name: give a whole path");
}

/* Appends path's components, each behind one slash. */
static void put_components(rsm__buffer *text, const char *path) {
  for (const char *at = path; *at;) {
    at += strspn(at, "/");
    size_t length = strcspn(at, "/");
    if (length > 0 && !(length == 1 && *at == '.')) {
      rsm__buffer_put_u8(text, '/');
      rsm__buffer_put(text, at, length);
    }
    at += length;
  }
}

/* Absolute, and nothing in it to be left out. */
static bool is_clean(const char *path) {
  const char *at = path;
  while (*at == '/') {
    size_t length = strcspn(++at, "/");
    if (length == 0 || (length == 1 && *at == '.')) return false;
    at += length;
  }
  return *at == '\0';
}

bool rsm__files_same_name(const char *a, const char *b) {
  return strcmp(a, b) == 0;
}

rsm_status rsm__files_absolute(const char *path, char **ret_path, rsm_error *reterr) {
  if (!path || path[0] == '\0') return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "the path is empty");
  if (is_clean(path)) { /* the usual case */
    char *copy = rsm__strdup(path);
    if (!copy) return rsm__fail_memory(reterr);
    *ret_path = copy;
    return RSM_OK;
  }
  RSM_CLEAN_BUFFER rsm__buffer text = {0};
  if (path[0] != '/') {
    RSM_CLEAN_BUFFER rsm__buffer base = {0};
    rsm_status status = put_working_directory(&base, reterr);
    if (status != RSM_OK) return status;
    rsm__buffer_put_u8(&base, '\0');
    if (base.failed) return rsm__fail_memory(reterr);
    put_components(&text, (const char *)base.data);
  }
  put_components(&text, path);
  if (text.length == 0) rsm__buffer_put_u8(&text, '/');
  rsm__buffer_put_u8(&text, '\0');
  if (text.failed) return rsm__fail_memory(reterr);
  *ret_path = (char *)text.data; /* from rsm__realloc: the caller's rsm__free fits */
  text = (rsm__buffer){0};
  return RSM_OK;
}

/* ---- Mounts that did not answer ---- */

rsm_status rsm__mount_point(const char *path, char **ret_point, rsm_error *reterr) {
  RSM_CLEAN(rsm__mounts_done) rsm__mounts mounts = {0};
  rsm_status status = rsm__mounts_read(&mounts, reterr);
  if (status != RSM_OK) return status;
  const rsm__mount *mount = rsm__mounts_over(&mounts, path);
  char *point = rsm__strdup(mount ? mount->point : "/");
  if (!point) return rsm__fail_memory(reterr);
  *ret_point = point;
  return RSM_OK;
}

bool rsm__mount_covers(const char *point, const char *path) {
  return rsm__path_within(path, point);
}

bool rsm__lookup_is_without_bpf(const rsm__lookup *lookup) {
  return lookup->without_bpf;
}

/* ---- Places ---- */

const size_t rsm__place_size = sizeof(rsm__place);

unsigned rsm__places_threads(size_t count) {
  return count >= WORTH_TWO && rsm__has_two_processors() ? 2 : 1;
}

bool rsm__places_follow(rsm__bounded *job, const rsm__dead_mounts *dead, const rsm__paths *paths, rsm__arena *arena,
                        rsm__place **ret_places) {
  *ret_places = rsm__arena_alloc(arena, paths->count * sizeof **ret_places);
  return *ret_places && rsm__resolve(job, dead, paths, arena, *ret_places);
}

const char *rsm__place_real(const rsm__place *places, size_t i) {
  return places[i].real;
}
