/* mappings.h: walks through the files that a process has mapped: by a query for each mapping (PROCMAP_QUERY, Linux
 * 6.11), or by the text of /proc/PID/maps where the kernel does not know that. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_MAPPINGS_H
#define RSM_OS_LINUX_MAPPINGS_H

#include "base/buffer.h"
#include "os/common/bounded.h"
#include "os/linux/maps.h"

typedef struct rsm__mappings {
  int fd; /* maps */
  rsm__bounded *job;
  rsm__buffer *text; /* the caller's, reused: the whole text, or the last name that was asked for */
  bool by_query;     /* names are not there until they are asked for, and tell newlines as they are */
  rsm__maps maps;
  uint64_t next; /* the address to go on from */
} rsm__mappings;

/* dir: /proc/PID. 0 or errno; in both cases rsm__mappings_done is due. */
int rsm__mappings_open(rsm__mappings *mappings, int dir, rsm__buffer *text, rsm__bounded *job);
void rsm__mappings_done(rsm__mappings *mappings);

/* Goes on from an address, as long as it is by_query. */
void rsm__mappings_seek(rsm__mappings *mappings, uint64_t address);
/* The next mapping of a file; false with *ret_code 0: there are no more; else errno. */
bool rsm__mappings_next(rsm__mappings *mappings, rsm__mapping *ret_mapping, int *ret_code);
/* Completes what next gave by its name, which is valid until the next call; name_length 0: it has none. 0 or ENOMEM. */
int rsm__mappings_name(rsm__mappings *mappings, rsm__mapping *mapping);

#endif
