/* session.h: what session.c and op.c share. SPDX-License-Identifier: MIT */
#ifndef RSM_CORE_SESSION_H
#define RSM_CORE_SESSION_H

#include "core/manager.h"

struct rsm_session {
  const rsm__manager *manager;
  void *state; /* the manager's; NULL once freed */
  rsm_op *op;  /* the one under way, NULL if none: it outlives nothing, the caller frees it first */
  rsm_role role;
  bool open;
  char key[RSM_KEY_LENGTH + 1];
};

/* May this call go on? Open, not forked, of the right role, no operation under way. */
rsm_status rsm__session_guard(const rsm_session *session, bool primary_only, rsm_error *reterr);

#endif
