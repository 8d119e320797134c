/* start_record.h: what whoever started a program for a journal's entry leaves beside it. spec/c/linux/start_record.h
 * has the same name. SPDX-License-Identifier: MIT */
#ifndef START_RECORD_H
#define START_RECORD_H

#include "os/windows/launch_record.h"

/* Of a starter that is gone, as the program is: nobody is there to be let go. */
static inline rsm__buffer start_record(const rsm_process *process) {
  rsm__buffer record = {0};
  const rsm__launch_intent intent = {.process = *process, .thread = 4, .starter = *process};
  rsm__launch_put_intent(&record, &intent);
  rsm__launch_put_decision(&record);
  return record;
}

#endif
