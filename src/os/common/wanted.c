/* wanted.c: see wanted.h. SPDX-License-Identifier: MIT
 *
 * call               | purpose                   | blocks on
 * rsm__lookup_places | what the paths lead to    | the lookup's limit, once a mount, drive or share
 * rsm__trees_walk    | what the directories hold | the same
 */
#include "os/common/wanted.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/index.h"

static bool copy_items(rsm__wanted *w, const rsm__target *items, size_t count) {
  w->items = rsm__arena_alloc(&w->arena, count * sizeof *w->items);
  w->given = rsm__arena_alloc(&w->arena, count * sizeof *w->given);
  w->firsts = rsm__arena_alloc(&w->arena, count * sizeof *w->firsts);
  w->others = rsm__arena_alloc(&w->arena, count * sizeof *w->others);
  if (!w->items || !w->given || !w->firsts || !w->others) return false;
  for (; w->count < count; w->count++) {
    const rsm__target *from = &items[w->count];
    rsm__target *to = &w->items[w->count];
    w->given[w->count] = from->path;
    to->path = rsm__arena_strdup(&w->arena, from->path);
    to->real = from->real && strcmp(from->real, from->path) == 0 ? to->path : rsm__arena_strdup(&w->arena, from->real);
    if (!to->path || (from->real && !to->real)) return false;
  }
  return true;
}

/* Two installers may register one path: it is one resource. */
static bool find_firsts(rsm__wanted *w) {
  RSM_CLEAN(rsm__index_done) rsm__index by_text = {0};
  for (size_t i = 0; i < w->count; i++) {
    const char *path = w->items[i].path;
    uint64_t hash = rsm__hash_text(path, strlen(path));
    uint32_t other = rsm__index_first(&by_text, hash);
    while (other != RSM_INDEX_END && strcmp(w->items[other].path, path) != 0) other = rsm__index_next(&by_text, other);
    w->firsts[i] = other == RSM_INDEX_END ? (uint32_t)i : w->firsts[other];
    if (!rsm__index_add(&by_text, hash)) return false;
  }
  return true;
}

/* A real path of then that is neither the registered text nor where that leads now needs a look of its own. */
static bool has_other_real(const rsm__wanted *w, size_t i) {
  const char *real = w->items[i].real, *now = rsm__place_real(w->now.items, i);
  return real && real[0] && strcmp(real, w->items[i].path) != 0 && !(now && strcmp(real, now) == 0);
}

rsm_status rsm__wanted_make(rsm__wanted *w, const rsm__target *items, size_t count, rsm__lookup *lookup,
                            rsm__task *task, rsm_error *reterr) {
  if (!copy_items(w, items, count) || !find_firsts(w)) return rsm__fail_memory(reterr);
  RSM_CLEAN_FREE const char **paths = rsm__malloc(count * sizeof *paths);
  if (!paths) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < count; i++) paths[i] = w->items[i].path;
  rsm_status status = rsm__lookup_places(lookup, paths, count, task, &w->now, reterr);
  size_t other_count = 0;
  for (size_t i = 0; i < count && status == RSM_OK; i++) {
    if (!has_other_real(w, i)) continue;
    paths[other_count] = w->items[i].real;
    w->others[other_count++] = w->firsts[i];
  }
  if (status == RSM_OK && other_count > 0)
    status = rsm__lookup_places(lookup, paths, other_count, task, &w->real, reterr);
  return status;
}

static size_t find_roots(const rsm__wanted *w, const rsm__places *places, const uint32_t *targets,
                         rsm__tree_root *roots, size_t count) {
  for (size_t i = 0; i < places->count; i++) {
    uint32_t target = targets ? targets[i] : (uint32_t)i;
    rsm__tree_root root = {0};
    if (w->firsts[target] != target || !rsm__place_root(places->items, i, &root)) continue;
    root.target = target;
    root.path = w->items[target].path;
    roots[count++] = root;
  }
  return count;
}

rsm_status rsm__wanted_walk(const rsm__wanted *w, rsm__lookup *lookup, rsm__task *task, rsm__trees *ret_trees,
                            rsm_error *reterr) {
  RSM_CLEAN_FREE rsm__tree_root *roots = rsm__malloc((w->now.count + w->real.count) * sizeof *roots);
  if (!roots) return rsm__fail_memory(reterr);
  size_t count = find_roots(w, &w->now, NULL, roots, 0);
  count = find_roots(w, &w->real, w->others, roots, count);
  return rsm__trees_walk(lookup, roots, count, task, ret_trees, reterr);
}

void rsm__wanted_done(rsm__wanted *w) {
  rsm__places_done(&w->now);
  rsm__places_done(&w->real);
  rsm__arena_done(&w->arena);
}
