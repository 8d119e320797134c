/* service.c: names of services, and the service of a process.
 *
 * A process may run several services: then one stands for all (rsm__service_main_of), and the others go down with it.
 * What blocks: service_manager.c. SPDX-License-Identifier: MIT */
#include "os/service.h"

#include <string.h>

#include "os/windows/os_error.h"
#include "os/windows/service_manager.h"
#include "os/windows/wide.h"

/* ---- Names ---- */

bool rsm__service_id_equal(const rsm__service_id *a, const rsm__service_id *b) {
  if (!a->name || !b->name) return a->name == b->name;
  return rsm__narrow_same_name(a->name, b->name);
}

const char *rsm__service_short_name(const char *name, rsm__arena *arena) {
  (void)arena;
  return name; /* the manager's own names are short */
}

/* A display name that people know. RSM_NO_SUCH_SERVICE: nor is it that. */
static rsm_status find_by_display_name(rsm__services *services, const char *name, rsm__arena *arena,
                                       const char **ret_name, rsm_error *reterr) {
  const rsm__listed_service *found = NULL;
  rsm_status status = rsm__service_list_get(services, 0, reterr);
  for (size_t i = 0; status == RSM_OK && i < services->list.count && !found; i++)
    if (rsm__narrow_same_name(services->list.items[i].display_name, name)) found = &services->list.items[i];
  if (status != RSM_OK) return status;
  if (!found) return rsm__fail(reterr, RSM_NO_SUCH_SERVICE, name, "no service of that name is known here");
  *ret_name = rsm__arena_strdup(arena, found->name);
  return *ret_name ? RSM_OK : rsm__fail_memory(reterr);
}

/* In the manager's own spelling. */
static rsm_status find_by_name(rsm__services *services, const char *name, rsm__arena *arena, const char **ret_name,
                               rsm_error *reterr) {
  RSM_CLEAN_SERVICE SC_HANDLE service = NULL;
  rsm_status status = rsm__service_open(services, name, SERVICE_QUERY_STATUS, &service, reterr);
  if (status == RSM_OK) status = rsm__service_list_get(services, 0, reterr);
  if (status != RSM_OK) return status;
  const rsm__listed_service *found = rsm__service_list_find(services, name);
  if (!found) status = rsm__service_list_get(services, UINT64_MAX, reterr); /* it may be a new one */
  if (!found && status == RSM_OK) found = rsm__service_list_find(services, name);
  if (status != RSM_OK) return status;
  if (!found) return rsm__fail(reterr, RSM_NO_SUCH_SERVICE, name, "this is not the name of a service but of a driver");
  *ret_name = rsm__arena_strdup(arena, found->name);
  return *ret_name ? RSM_OK : rsm__fail_memory(reterr);
}

rsm_status rsm__service_resolve(rsm__services *services, const char *name, rsm__arena *arena, rsm__service_id *ret_id,
                                rsm_error *reterr) {
  rsm_error error = {0};
  const char *found = NULL;
  if (!*name) return rsm__fail(reterr, RSM_NO_SUCH_SERVICE, name, "a service has a name");
  rsm_status status = find_by_name(services, name, arena, &found, &error);
  if (status == RSM_NO_SUCH_SERVICE) {
    rsm_error why;
    rsm_status second = find_by_display_name(services, name, arena, &found, &why);
    if (rsm__is_shortage(second)) error = why;
    if (second == RSM_OK || rsm__is_shortage(second)) status = second;
  }
  if (status == RSM_OK) *ret_id = (rsm__service_id){.name = found};
  if (status != RSM_OK && reterr) *reterr = error;
  return status;
}

/* ---- The service of a process ---- */

/* Does one of the services in that process depend on others in it? Not by way of one that runs elsewhere: that would
 * be a circle of processes. */
static rsm_status leans_on_company(rsm__services *services, const rsm__listed_service *one, uint32_t pid, bool *ret,
                                   rsm_error *reterr) {
  const char *const *needs;
  size_t count;
  rsm_status status = rsm__service_needs(services, one, &needs, &count, reterr);
  *ret = false;
  for (size_t i = 0; status == RSM_OK && i < services->list.count; i++) {
    const rsm__listed_service *other = &services->list.items[i];
    if (other == one || other->pid != pid || !rsm__service_needs_one(needs, count, other->name)) continue;
    *ret = true;
  }
  return status;
}

rsm_status rsm__service_main_of(rsm__services *services, uint32_t pid, const rsm__listed_service **ret_main,
                                rsm_error *reterr) {
  const rsm__listed_service *first = NULL, *free_one = NULL;
  size_t count = 0;
  rsm_status status = RSM_OK;
  for (size_t i = 0; i < services->list.count; i++) {
    if (services->list.items[i].pid != pid) continue;
    if (count++ == 0) first = &services->list.items[i];
  }
  for (size_t i = 0; count > 1 && status == RSM_OK && i < services->list.count && !free_one; i++) {
    const rsm__listed_service *one = &services->list.items[i];
    bool leans;
    if (one->pid != pid) continue;
    status = leans_on_company(services, one, pid, &leans, reterr);
    if (status == RSM_OK && !leans) free_one = one;
  }
  *ret_main = free_one ? free_one : first;
  return status;
}

static void close_process(rsm__process **process) {
  *process = rsm__process_close(*process);
}

/* Was the list right? Only then is the number the process': its own handle is open, so nobody else has it now. */
static rsm_status confirm(rsm__services *services, const char *name, const rsm__process *process, bool *ret_right,
                          rsm_error *reterr) {
  RSM_CLEAN(close_process) rsm__process *now = NULL;
  rsm_status status = rsm__service_process(services, name, &now, reterr);
  *ret_right = status == RSM_OK && now && rsm_process_equal(rsm__process_id(now), rsm__process_id(process));
  return rsm__is_shortage(status) ? status : RSM_OK;
}

rsm_status rsm__service_of(rsm__services *services, const rsm__process *process, rsm__arena *arena,
                           rsm__service_place *ret_place, rsm_error *reterr) {
  enum { LOOKS = 3 };
  const rsm_process *id = rsm__process_id(process);
  const rsm__listed_service *found = NULL;
  bool right = false;
  rsm_status status = rsm__service_list_get(services, id->start_time, reterr);
  for (int look = 0; status == RSM_OK && !right && look < LOOKS; look++) {
    if (look > 0) status = rsm__service_list_get(services, UINT64_MAX, reterr);
    if (status == RSM_OK) status = rsm__service_main_of(services, id->pid, &found, reterr);
    if (status != RSM_OK || !found) break;
    status = confirm(services, found->name, process, &right, reterr);
  }
  /* Where no manager can be asked no process is a service's. */
  if (status != RSM_OK && !rsm__is_shortage(status)) status = RSM_OK;
  if (status != RSM_OK) return status;
  rsm__service_place place = {0};
  if (right) {
    place.id.name = rsm__arena_strdup(arena, found->name);
    place.group = rsm__say(arena, "%u-%llu", (unsigned)id->pid, (unsigned long long)id->start_time);
    if (!place.id.name || !place.group) return rsm__fail_memory(reterr);
    status = rsm__service_is_ours(id, &place.carries_us, reterr);
    if (status != RSM_OK) return status;
  }
  *ret_place = place;
  return RSM_OK;
}
