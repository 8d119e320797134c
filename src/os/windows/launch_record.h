/* launch_record.h: the two parts of a launch record, and what they oblige to.
 *
 * The first part, the intent, is written while the new process is still suspended and ends with its starter. The
 * second, the decision, makes the record complete, and only then the process is let go. A starter that dies leaves:
 * nothing, or an intent alone (whoever reads it ends what may still be suspended), or both (whoever reads them lets it
 * go, if its starter did not get that far). So what the record says becomes true by being read.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_LAUNCH_RECORD_H
#define RSM_OS_WINDOWS_LAUNCH_RECORD_H

#include "base/buffer.h"
#include "rsm.h"

typedef struct rsm__launch_intent {
  rsm_process process;
  uint32_t thread; /* its first one, by number */
  rsm_process starter;
} rsm__launch_intent;

enum { RSM__LAUNCH_INTENT_SIZE = 52, RSM__LAUNCH_RECORD_SIZE = 60 };

void rsm__launch_put_intent(rsm__buffer *to, const rsm__launch_intent *intent);
void rsm__launch_put_decision(rsm__buffer *to); /* to: the intent alone */

/* False: neither an intent nor a whole record. *ret_decided: it is whole. */
bool rsm__launch_parse(const void *data, size_t length, rsm__launch_intent *ret_intent, bool *ret_decided);

#endif
