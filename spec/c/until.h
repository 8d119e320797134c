/* until.h: waiting in a test for what others do. SPDX-License-Identifier: MIT */
#ifndef UNTIL_H
#define UNTIL_H

#include <stdbool.h>

#include "pause.h"

enum { UNTIL_PAUSE_MS = 5 };

/* Has the condition become true? Looks again and again, with pauses that amount to limit_ms: a slow machine, on which
 * each look takes long, has more time. */
#define UNTIL(limit_ms, condition)                                                                                     \
  ({                                                                                                                   \
    bool until_true = (condition);                                                                                     \
    for (int until_ms = 0; !until_true && until_ms < (limit_ms); until_ms += UNTIL_PAUSE_MS) {                         \
      sleep_ms(UNTIL_PAUSE_MS);                                                                                        \
      until_true = (condition);                                                                                        \
    }                                                                                                                  \
    until_true;                                                                                                        \
  })

#endif
