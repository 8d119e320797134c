/* plan.h: what can be decided without an operating system. Pure functions: no clock, no state, no system.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_CORE_PLAN_H
#define RSM_CORE_PLAN_H

#include "core/filter.h"
#include "core/list.h"

/* Does this use stand in the way of a replacement? Working and root directories do not, unless asked for. */
bool rsm__plan_use_counts(const rsm_use *use, bool working_directories);

/* Sets the masked bits that the filters ask for. */
void rsm__plan_mask(const rsm_filter_list *filters, rsm_app *app);

/* Does it run, use something in a way that counts, and is not kept by a no_shutdown filter? */
bool rsm__plan_in_the_way(const rsm_app *app);

/* The list's reboot reasons: of those in the way. */
uint32_t rsm__plan_reasons(const rsm_list *list);

/* Will a shutdown of this list stop the application? */
bool rsm__plan_stops(const rsm_app *app);

/* May a shutdown begin? RSM_NOACTION_REBOOT, RSM_FAIL_SHUTDOWN (only_restartable), RSM_MORE_DATA (not confirmed): then
 * nothing may be touched; reterr names the culprit. */
rsm_status rsm__plan_check(const rsm_list *list, const rsm_shutdown_options *options, rsm_error *reterr);
/* Is the application among those that the caller confirmed? */
bool rsm__plan_confirmed(const rsm_app *app, const rsm_shutdown_options *options);

/* Who carries us: stopping one of them would stop the installer, or lose whoever waits for it. */
typedef struct rsm__carriers {
  const rsm_process *items; /* [0] being ourselves, then our ancestors, nearest first; see rsm__process_carriers */
  size_t count;
  const rsm_process *stoppable; /* those that the caller has excepted; never ourselves */
  size_t stoppable_count;
} rsm__carriers;
/* What the options except, to be freed with rsm__free; NULL: nobody. */
rsm_status rsm__plan_copy_stoppable(const rsm_start_options *options, rsm_process **ret_stoppable, rsm_error *reterr);
bool rsm__plan_carries_us(const rsm__carriers *carriers, const rsm_process *process);

/* Is a process of the unit that carries us its main process, though no ancestor of ours? Then it is a child of the
 * manager that started us, too, and no younger than the topmost of us below that manager: whoever we descend from was
 * started by it. A stray of the same age is taken for it, too: it is spared rather than guessed at.
 * The last of the carriers is the first process of all; user_manager: the unit's manager is a child of that one, not
 * itself. */
bool rsm__plan_is_main(const rsm_process *process, const rsm_process *parent, const rsm__carriers *carriers,
                       bool user_manager);

/* Order of stopping: ranks 0 (windows, console, other applications), 1 (services), 2 (the desktop's shell). */
enum { RSM__PLAN_RANKS = 3 };
unsigned rsm__plan_rank(const rsm_app *app);

/* Where an application stands within its rank. */
typedef struct rsm__plan_place {
  unsigned depth; /* of a process: how many ancestors it has; of a service: steps to what it depends on or is started
                     after */
  bool held;      /* would start a stopped service again (a socket, a timer): is down for as long as that one */
  bool first_up;  /* of those held: has to be up before that service is (a socket) */
} rsm__plan_place;

/* Less than 0: a is stopped before b. By rank; processes: parents first, then by pid; services: those held first, then
 * dependents before what they depend on. */
int rsm__plan_compare_stop(const rsm_app *a, const rsm__plan_place *place_a, const rsm_app *b,
                           const rsm__plan_place *place_b);
/* Less than 0: a is started before b. The reverse, but that what is held and not first_up comes after its service. */
int rsm__plan_compare_start(const rsm_app *a, const rsm__plan_place *place_a, const rsm_app *b,
                            const rsm__plan_place *place_b);

/* The ladder that one application climbs down. Times in ms since the step named. */
typedef enum rsm__rung {
  RSM__RUNG_ASK,
  RSM__RUNG_WAIT, /* until *ret_wait_ms have passed or it has ended */
  RSM__RUNG_KILL,
  RSM__RUNG_GIVE_UP,
  RSM__RUNG_DONE
} rsm__rung;
typedef struct rsm__ladder {
  bool ended, asked, killed;
  uint64_t since_asked, since_killed;
} rsm__ladder;
enum { RSM__PLAN_KILL_WAIT_MS = 5000 }; /* a killed process in an uninterruptible wait must not hold us for ever */
rsm__rung rsm__plan_rung(const rsm__ladder *at, uint32_t grace_ms, bool force, uint32_t *ret_wait_ms);

/* Shall a stopped application be started, and if not, why not? */
typedef struct rsm__plan_candidate {
  const rsm_app *app;
  bool registered;       /* it had registered for restart */
  uint32_t flags;        /* RSM_RESTART_NO_ bits of the registration */
  const char *obstacle;  /* why its surroundings cannot be made again; NULL: they can */
  bool other_user;       /* the obstacle is that it belongs to somebody else */
  bool parent_restarted; /* a stopped ancestor was started again */
  bool like_parent;      /* that ancestor ran the same program */
  rsm_left_why base;     /* of a service: why one that it depends on, or that it starts, is left; NONE: it is not */
} rsm__plan_candidate;
rsm_left_why rsm__plan_restart(const rsm__plan_candidate *candidate, bool unregistered);

/* Share of what is done, as a percentage that only success brings to 100. */
unsigned rsm__plan_percent(size_t done, size_t total, bool finished);

#endif
