/* tree.c: see tree.h. SPDX-License-Identifier: MIT
 *
 * call             | purpose         | blocks on
 * rsm__lookup_run  | the whole walk  | the lookup's limit, once a mount that hangs
 */
#include "os/common/tree.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"

void rsm__trees_done(rsm__trees *trees) {
  rsm__free(trees->files);
  rsm__free(trees->gaps);
  rsm__arena_done(&trees->arena);
  *trees = (rsm__trees){0};
}

/* ---- Results ---- */

static void put_below(rsm__buffer *text, const char *below) {
  if (below[0] == '\0') return;
  if (text->length > 0 && text->data[text->length - 1] != (unsigned char)rsm__tree_separator)
    rsm__buffer_put_u8(text, (unsigned char)rsm__tree_separator);
  rsm__buffer_put(text, below, strlen(below));
}

const char *rsm__tree_join(rsm__tree_walk *walk, const char *base, const char *folder, const char *name) {
  walk->path.length = 0;
  put_below(&walk->path, base);
  put_below(&walk->path, folder);
  put_below(&walk->path, name);
  rsm__buffer_put_u8(&walk->path, '\0');
  if (walk->path.failed) walk->failed = true;
  return walk->failed ? NULL : (const char *)walk->path.data;
}

void rsm__tree_add_gap(rsm__tree_walk *walk, const char *folder, const char *name, const char *reason) {
  rsm__trees *trees = &walk->trees;
  const char *path = rsm__arena_strdup(&trees->arena, rsm__tree_join(walk, walk->root->path, folder, name));
  if (!path || rsm__grow(&trees->gaps, &trees->gap_capacity, trees->gap_count + 1, sizeof *trees->gaps) < 0) {
    walk->failed = true;
    return;
  }
  trees->gaps[trees->gap_count++] = (rsm__tree_gap){.path = path, .reason = reason};
}

void rsm__tree_add_gap_error(rsm__tree_walk *walk, const char *folder, const rsm_error *error) {
  const char *words = rsm__arena_strdup(&walk->trees.arena, error->os_text);
  if (words)
    rsm__tree_add_gap(walk, folder, "", words);
  else
    walk->failed = true;
}

void rsm__tree_add_pending(rsm__tree_walk *walk, const char *folder, uint64_t dev, uint64_t ino) {
  if (!folder ||
      rsm__grow(&walk->pending, &walk->pending_capacity, walk->pending_count + 1, sizeof *walk->pending) < 0) {
    walk->failed = true;
    return;
  }
  walk->pending[walk->pending_count++] = (rsm__tree_pending){.folder = folder, .dev = dev, .ino = ino};
}

/* ---- The walk ---- */

/* What is pending of it, unless it lies on a mount that did not answer: then that is a gap. */
static void begin_root(rsm__tree_walk *walk, const rsm__tree_root *root) {
  walk->root = root;
  walk->pending_count = 0;
  if (rsm__dead_covers(&walk->dead, root->real))
    rsm__tree_add_gap(walk, "", "", "did not answer in time; it was not searched");
  else
    rsm__tree_begin(walk);
}

static void walk_roots(rsm__bounded *bounded, void *argument) {
  rsm__tree_walk *walk = argument;
  walk->bounded = bounded;
  for (size_t i = 0; i < walk->root_count && !walk->failed; i++) {
    begin_root(walk, &walk->roots[i]);
    while (walk->pending_count > 0 && !walk->failed) {
      rsm__tree_pending next = walk->pending[--walk->pending_count];
      if (!rsm__tree_read(walk, &next)) return;
    }
  }
}

static void free_walk(void *argument) {
  rsm__tree_walk *walk = argument;
  rsm__trees_done(&walk->trees);
  rsm__free(walk->pending);
  rsm__buffer_done(&walk->path);
  rsm__tree_reader_free(walk->reader);
  rsm__free(walk);
}

/* With all their texts, in the arena. NULL: out of memory. */
static rsm__tree_root *copy_roots(const rsm__tree_root *roots, size_t count, rsm__arena *arena) {
  rsm__tree_root *copy = rsm__arena_alloc(arena, count * sizeof *copy);
  for (size_t i = 0; i < count && copy; i++) {
    copy[i] = roots[i];
    copy[i].real = rsm__arena_strdup(arena, roots[i].real);
    copy[i].path = rsm__arena_strdup(arena, roots[i].path);
    if (!copy[i].real || !copy[i].path) return NULL;
  }
  return copy;
}

static rsm__tree_walk *new_walk(const rsm__tree_root *roots, size_t count) {
  rsm__tree_walk *walk = rsm__calloc(1, sizeof *walk);
  if (!walk) return NULL;
  walk->root_count = count;
  walk->reader = rsm__tree_reader_new();
  walk->roots = copy_roots(roots, count, &walk->trees.arena);
  if (walk->reader && walk->roots) return walk;
  free_walk(walk);
  return NULL;
}

/* One thread's attempt. RSM_TIMEOUT: another is due, without the mount that hung. */
static rsm_status try_walk(rsm__lookup *lookup, const rsm__tree_root *roots, size_t count, rsm__task *task,
                           rsm__trees *ret_trees, rsm_error *reterr) {
  rsm__tree_walk *walk = new_walk(roots, count);
  if (!walk) return rsm__fail_memory(reterr);
  rsm_status status = rsm__lookup_dead(lookup, &walk->trees.arena, &walk->dead, reterr);
  if (status != RSM_OK) {
    free_walk(walk);
    return status;
  }
  status = rsm__lookup_run(lookup, walk_roots, free_walk, walk, task, reterr);
  if (status != RSM_OK) return status;
  if (walk->failed) {
    status = rsm__fail_memory(reterr);
  } else {
    *ret_trees = walk->trees;
    walk->trees = (rsm__trees){0};
  }
  free_walk(walk);
  return status;
}

rsm_status rsm__trees_walk(rsm__lookup *lookup, const rsm__tree_root *roots, size_t count, rsm__task *task,
                           rsm__trees *ret_trees, rsm_error *reterr) {
  if (count == 0) return RSM_OK;
  rsm_status status = RSM_TIMEOUT;
  rsm__lookup_refresh(lookup);
  while (status == RSM_TIMEOUT) status = try_walk(lookup, roots, count, task, ret_trees, reterr);
  return status;
}
