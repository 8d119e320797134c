/* service_units.h: units as their manager describes them, for the service_*.c files.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_SERVICE_UNITS_H
#define RSM_OS_LINUX_SERVICE_UNITS_H

#include "os/linux/bus.h"
#include "os/linux/cgroup.h"
#include "os/linux/unit.h"
#include "os/service.h"

/* ---- The connections (service.c) ---- */

/* The connection to the service's manager, owned by services. RSM_NO_SUCH_SERVICE: that user's manager does not run. */
rsm_status rsm__services_bus(rsm__services *services, const rsm__service_id *id, rsm__bus **ret_bus, rsm_error *reterr);
rsm__cgroups *rsm__services_cgroups(rsm__services *services);

/* The control group of /proc/PID, in the arena; NULL: not known. */
rsm_status rsm__unit_group_of(const char *folder, rsm__arena *arena, const char **ret_group, rsm_error *reterr);
/* Which unit a control group belongs to, as /proc/PID/cgroup or a manager says it; path_length counts from its start.
 */
rsm_status rsm__unit_of_group(const char *group, rsm__arena *arena, rsm__unit *ret_unit, rsm_error *reterr);

/* ---- Units (service_units.c) ---- */

/* Text in an arena; what the manager does not tell is empty, never NULL. */
typedef struct rsm__unit_facts {
  const char *path; /* its object */
  const char *id, *description, *load_state, *active_state;
  rsm__bus_texts names;
  rsm__bus_texts stopped_with[5]; /* those to which its stop is propagated */
  rsm__bus_texts triggered_by, upheld_by, after;
  bool refuses_stop, refuses_start, transient, needs_reload;
  uint64_t job_limit_us;
} rsm__unit_facts;

rsm_status rsm__unit_facts_get(rsm__bus *bus, const char *name, rsm__arena *arena, rsm__unit_facts *ret_facts,
                               rsm_error *reterr);
bool rsm__unit_is_unknown(const rsm__unit_facts *unit);
bool rsm__unit_is_up(const char *active_state); /* active, or on its way up */
/* What its state and its processes say (service.c). Needs active_state, path and id of the unit. */
rsm_status rsm__unit_activity(rsm__services *services, rsm__bus *bus, const rsm__unit_facts *unit,
                              rsm__service_activity *ret_activity, rsm_error *reterr);

/* Has it a job to stop, which waits for others? Then it is up, and will not be. */
rsm_status rsm__unit_is_going(rsm__bus *bus, const rsm__unit_facts *unit, rsm__arena *arena, bool *ret_going,
                              rsm_error *reterr);

bool rsm__unit_has_type(const char *name, const char *suffix); /* ".socket" */
/* Its type's own D-Bus interface; NULL: a type that runs no processes. */
const char *rsm__unit_interface(const char *name);
/* "": it has none now. */
rsm_status rsm__unit_control_group(rsm__bus *bus, const rsm__unit_facts *unit, rsm__arena *arena,
                                   const char **ret_group, rsm_error *reterr);
/* One property of its type's interface; RSM_OK and untouched if it has none such. */
rsm_status rsm__unit_property(rsm__bus *bus, const rsm__unit_facts *unit, const char *name, const char *type,
                              void *value, rsm__arena *arena, rsm_error *reterr);

/* May we stop it? *ret_refusal NULL: yes; else why not, in the arena. Nothing happens. */
rsm_status rsm__unit_ask_stop(rsm__bus *bus, const char *name, rsm__arena *arena, const char **ret_refusal,
                              rsm_error *reterr);

/* Names the process that has the pid now, if it is in that group; *ret_bound false: it is not there (any more). */
rsm_status rsm__unit_bind_process(uint32_t pid, const char *group, rsm_process *ret_process, bool *ret_bound,
                                  rsm_error *reterr);

/* printf into the arena; NULL: out of memory. */
const char *rsm__say(rsm__arena *arena, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));

#endif
