/* stop.h: what stop.c and stop_plan.c share: one round of a shutdown. SPDX-License-Identifier: MIT */
#ifndef RSM_BUILTIN_STOP_H
#define RSM_BUILTIN_STOP_H

#include "builtin/affected.h"

/* An application on its way down the ladder: a process, or a service (entry->service), whose manager acts for us. */
typedef struct rsm__member {
  rsm__entry *entry;
  rsm__process *handle; /* of a process. NULL: not open now; is opened again by identity when needed */
  uint64_t asked_at, killed_at;
  bool asked, killed;
  bool told;    /* asking has two steps where somebody may refuse: the second has been done */
  bool pending; /* has not answered yet */
  bool refused; /* will not end, or does not answer: `why` */
  bool mute;    /* cannot be asked: `why` */
  bool settled; /* ended, or given up */
  rsm_error why;
} rsm__member;

typedef struct rsm__round {
  rsm__operation *op;
  rsm__affected before; /* the listing that the round stops */
  rsm__member *members; /* in the order of stopping */
  size_t count, capacity;
  size_t open_handles, budget;
  size_t settled;
  uint64_t settled_at; /* when the last one was; 0: none yet */
  bool somebody_asked;
  bool called_off; /* somebody refused: nobody else is asked */
} rsm__round;

void rsm__round_done(rsm__round *round);
/* Makes the members of all that the listing says to stop, with what is needed to start them again, and writes the
 * journal. Nothing has been touched when it returns, in success or failure. */
rsm_status rsm__round_plan(rsm__round *round, rsm_error *reterr);

/* A service that the listing says to stop. */
typedef struct rsm__chosen_service {
  const rsm_app *app;
  const rsm__service_group *group;
} rsm__chosen_service;
/* Makes members of these services and of whatever goes down with them, with their places in the order of starting. */
rsm_status rsm__round_add_services(rsm__round *round, const rsm__chosen_service *chosen, size_t count,
                                   rsm_error *reterr);

/* What is done to one member. steal: close another one's handle if there is no room for its own, else RSM_BUSY.
 * RSM_NOT_FOUND: it has ended. */
rsm_status rsm__member_reach(rsm__round *round, rsm__member *member, bool steal, rsm_error *reterr);
/* RSM_NOT_SUPPORTED: there is nothing in it that could be asked. */
rsm_status rsm__member_ask(const rsm__round *round, const rsm__member *member, rsm_error *reterr);
/* As rsm__process_answer; a service has none to give. */
rsm_status rsm__member_answer(const rsm__member *member, rsm_error *reterr);
void rsm__member_proceed(const rsm__member *member);
bool rsm__member_withdraw(const rsm__member *member); /* false: too late, or a service: that is on its way */
rsm_status rsm__member_kill(const rsm__round *round, const rsm__member *member, rsm_error *reterr);
/* Is it a service that was asked and that its manager does not say to run? Then it ends yet, or has but for some of its
 * processes, and nobody but us brings it back. */
bool rsm__member_goes_down(const rsm__round *round, const rsm__member *member);
/* Why it is given up, in words. */
void rsm__member_blame(const rsm__round *round, const rsm__member *member, rsm_error *ret_why);
void rsm__member_release(rsm__round *round, rsm__member *member);
/* Blocks until a member of [from, to) may have ended, or for wait_ms. The caller looks at each afterwards. */
rsm_status rsm__members_wait(rsm__round *round, size_t from, size_t to, uint32_t wait_ms, rsm_error *reterr);

#endif
