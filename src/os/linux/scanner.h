/* scanner.h: which way a listing looks for holders: through /proc, or first by a walk in the kernel (BPF). And which
 * way the last one took, for people. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_SCANNER_H
#define RSM_OS_LINUX_SCANNER_H

#include <stdbool.h>

#include "os/linux/mounts.h"
#include "rsm.h"

/* May and should this listing walk in the kernel? *ret_reason: else why not, static text. unwanted: whoever started the
 * session said so. */
bool rsm__scanner_choose(bool unwanted, const char **ret_reason);

unsigned long rsm__scanner_count_files(void); /* that are open or mapped in the whole system; 0: not known */

/* Tells what the listing that is being made turned out to be; reason: why not by BPF, cut if too long. */
void rsm__scanner_tell(bool by_bpf, const char *reason);

uint64_t rsm__scanner_now(void); /* microseconds, of a clock that is never set */
void rsm__scanner_took(uint64_t us);

/* A file system on which an inode has the number in the kernel that stat shows, and whose mapped files are its own. */
bool rsm__scanner_knows(const char *filesystem);

#endif
