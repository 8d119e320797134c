/* private_file.h: what a launch needs of a record and a lock: it hands them to the new process.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_PRIVATE_FILE_H
#define RSM_OS_LINUX_PRIVATE_FILE_H

#include "os/private_dir.h"

int rsm__file_descriptor(const rsm__file *file);
int rsm__lock_descriptor(const rsm__lock *lock);

#endif
