/* service_links.c: SPDX-License-Identifier: MIT */
#include "os/windows/service_links.h"

#include "os/windows/os_error.h"
#include "os/windows/wide.h"

void rsm__service_set_done(rsm__service_set *set) {
  for (size_t i = 0; i < set->count; i++) rsm__free(set->items[i].bases);
  rsm__free(set->items);
}

static rsm__service_member *find_member(const rsm__service_set *set, const rsm__listed_service *one) {
  for (size_t i = 0; i < set->count; i++)
    if (set->items[i].listed == one) return &set->items[i];
  return NULL;
}

static rsm_status add_base(rsm__service_member *to, const char *base, rsm_error *reterr) {
  for (size_t i = 0; i < to->base_count; i++)
    if (rsm__narrow_same_name(to->bases[i], base)) return RSM_OK;
  if (rsm__grow(&to->bases, &to->base_capacity, to->base_count + 1, sizeof *to->bases) < 0)
    return rsm__fail_memory(reterr);
  to->bases[to->base_count++] = base;
  return RSM_OK;
}

/* base NULL: none. */
static rsm_status join(rsm__service_set *set, const rsm__listed_service *one, const char *base, rsm_error *reterr) {
  rsm__service_member *to = find_member(set, one);
  if (!to) {
    if (rsm__grow(&set->items, &set->capacity, set->count + 1, sizeof *set->items) < 0) return rsm__fail_memory(reterr);
    to = &set->items[set->count++];
    *to = (rsm__service_member){.listed = one};
  }
  return base && to != set->items ? add_base(to, base, reterr) : RSM_OK;
}

/* Those that run in its process, too: each is given the service itself to go down with. */
static rsm_status join_company(rsm__service_set *set, uint32_t pid, rsm_error *reterr) {
  const rsm__service_list *list = &set->services->list;
  const char *first = set->items[0].listed->name;
  rsm_status status = RSM_OK;
  for (size_t i = 0; i < list->count && status == RSM_OK; i++)
    if (list->items[i].pid == pid && &list->items[i] != set->items[0].listed)
      status = join(set, &list->items[i], first, reterr);
  return status;
}

/* Does it run now? What was up when the list was read may have stopped since. */
static bool is_up(rsm__services *services, const char *name) {
  RSM_CLEAN_SERVICE SC_HANDLE service = NULL;
  SERVICE_STATUS_PROCESS told;
  if (rsm__service_open(services, name, SERVICE_QUERY_STATUS, &service, NULL) != RSM_OK) return true;
  return rsm__service_query(service, name, &told, NULL) != RSM_OK || rsm__service_is_up(&told);
}

/* All that directly depend on it, of those that run. */
static rsm_status join_dependents(rsm__service_set *set, const char *base, rsm_error *reterr) {
  const rsm__service_list *list = &set->services->list;
  rsm_status status = RSM_OK;
  for (size_t i = 0; i < list->count && status == RSM_OK; i++) {
    const char *const *needs;
    size_t count;
    if (list->items[i].state == SERVICE_STOPPED) continue;
    status = rsm__service_needs(set->services, &list->items[i], &needs, &count, reterr);
    if (status == RSM_OK && rsm__service_needs_one(needs, count, base) &&
        (find_member(set, &list->items[i]) || is_up(set->services, list->items[i].name)))
      status = join(set, &list->items[i], base, reterr);
  }
  return status;
}

/* What the manager names besides: dependents by way of a group of services. */
static rsm_status join_told(rsm__service_set *set, const char *base, rsm_error *reterr) {
  enum { MOST_SIZE = 256 << 10 }; /* the most that it may need, by its contract */
  RSM_CLEAN_SERVICE SC_HANDLE service = NULL;
  DWORD needed = 0, count = 0;
  rsm_status status = rsm__service_open(set->services, base, SERVICE_ENUMERATE_DEPENDENTS, &service, reterr);
  if (status != RSM_OK) return rsm__is_shortage(status) ? status : RSM_OK;
  if (EnumDependentServicesW(service, SERVICE_ACTIVE, NULL, 0, &needed, &count)) return RSM_OK; /* none */
  RSM_CLEAN_FREE ENUM_SERVICE_STATUSW *told = rsm__malloc(MOST_SIZE);
  if (!told) return rsm__fail_memory(reterr);
  if (!EnumDependentServicesW(service, SERVICE_ACTIVE, told, MOST_SIZE, &needed, &count)) return RSM_OK;
  for (DWORD i = 0; i < count && status == RSM_OK; i++) {
    RSM_CLEAN_FREE char *name = rsm__narrow_new(told[i].lpServiceName, wcslen(told[i].lpServiceName));
    if (!name) return rsm__fail_memory(reterr);
    const rsm__listed_service *one = rsm__service_list_find(set->services, name);
    if (one && !find_member(set, one)) status = join(set, one, base, reterr);
  }
  return status;
}

/* By the longest way, so that whoever is needed by two goes after both. A circle ends with the round. */
static void find_depths(rsm__service_set *set) {
  for (size_t i = 1; i < set->count; i++) set->items[i].depth = 1;
  for (size_t round = 1; round < set->count; round++) {
    bool changed = false;
    for (size_t i = 1; i < set->count; i++) {
      rsm__service_member *one = &set->items[i];
      for (size_t k = 0; k < one->base_count; k++) {
        const rsm__listed_service *listed = rsm__service_list_find(set->services, one->bases[k]);
        const rsm__service_member *base = listed ? find_member(set, listed) : NULL;
        if (!base || base == one || base->depth < one->depth) continue;
        one->depth = base->depth + 1;
        changed = true;
      }
    }
    if (!changed) return;
  }
}

rsm_status rsm__service_set_find(rsm__service_set *set, const rsm__listed_service *first, uint32_t pid,
                                 rsm_error *reterr) {
  rsm_status status = join(set, first, NULL, reterr);
  if (status == RSM_OK && pid) status = join_company(set, pid, reterr);
  for (size_t i = 0; i < set->count && status == RSM_OK; i++)
    status = join_dependents(set, set->items[i].listed->name, reterr);
  size_t known = set->count;
  for (size_t i = 0; i < known && status == RSM_OK; i++) status = join_told(set, set->items[i].listed->name, reterr);
  if (status == RSM_OK) find_depths(set);
  return status;
}
