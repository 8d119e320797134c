/* stop.h: what stop.c and stop_plan.c share: one round of a shutdown. SPDX-License-Identifier: MIT */
#ifndef RSM_BUILTIN_STOP_H
#define RSM_BUILTIN_STOP_H

#include "builtin/affected.h"

/* An application on its way down the ladder. */
typedef struct rsm__member {
  rsm__entry *entry;
  rsm__process *handle; /* NULL: not open now; is opened again by identity when needed */
  uint64_t asked_at, killed_at;
  bool asked, killed;
  bool settled; /* ended, or given up */
} rsm__member;

typedef struct rsm__round {
  rsm__operation *op;
  rsm__affected before; /* the listing that the round stops */
  rsm__member *members; /* in the order of stopping */
  size_t count;
  size_t open_handles, budget;
  size_t settled;
  bool somebody_asked;
} rsm__round;

void rsm__round_done(rsm__round *round);
/* Makes the members of all that the listing says to stop, with what is needed to start them again, and writes the
 * journal. Nothing has been touched when it returns, in success or failure. */
rsm_status rsm__round_plan(rsm__round *round, rsm_error *reterr);

#endif
