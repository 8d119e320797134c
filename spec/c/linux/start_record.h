/* start_record.h: what a program that was started for a journal's entry leaves beside it. spec/c/windows/start_record.h
 * has the same name. SPDX-License-Identifier: MIT */
#ifndef START_RECORD_H
#define START_RECORD_H

#include "builtin/record.h"

/* As a starting process writes it: magic, size, identity, checksum. */
static inline rsm__buffer start_record(const rsm_process *process) {
  rsm__buffer record = {0};
  rsm__buffer_put_u32(&record, 0x504D5352); /* "RSMP" */
  rsm__buffer_put_u32(&record, 32);
  rsm__put_process(&record, process);
  rsm__buffer_put_u32(&record, rsm__crc32c(record.data, record.length));
  return record;
}

#endif
