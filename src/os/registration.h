/* registration.h: an application's wish to be started again, kept where others can read it and nobody else can forge
 * it. Linux: a file in the user's private folder, named by pid and start time. Windows: RegisterApplicationRestart's
 * own, or, where the system keeps none, a section that dies with the process. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_REGISTRATION_H
#define RSM_OS_REGISTRATION_H

#include "os/process.h"

typedef struct rsm__registration {
  const char *exe; /* the program file that made it */
  const char *const *args;
  size_t arg_count;
  uint32_t flags;
} rsm__registration;

/* Of this process. args NULL: its present arguments. Sweeps what dead processes of this user left behind. */
rsm_status rsm__registration_set(const char *const *args, size_t count, uint32_t flags, rsm_error *reterr);
rsm_status rsm__registration_clear(rsm_error *reterr); /* RSM_NOT_FOUND: there was none */

/* Of another. Counts only if the file's owner is the process' effective user, its content names the same process, and
 * the process still runs the program that made it. RSM_NOT_FOUND: there is none that counts. */
rsm_status rsm__registration_get(const rsm__process *process, rsm__arena *arena, rsm__registration *ret_registration,
                                 rsm_error *reterr);

/* The same for many processes in a row, of which the facts are known already. What is alike for all of them (Linux: the
 * users' folders) is looked at once: make a new reader for each listing. */
typedef struct rsm__registrations rsm__registrations;
rsm_status rsm__registrations_new(rsm__registrations **ret_registrations, rsm_error *reterr);
void rsm__registrations_free(rsm__registrations *registrations); /* NULL-tolerant */
rsm_status rsm__registrations_get(rsm__registrations *registrations, const rsm__process *process,
                                  const rsm__process_facts *facts, rsm__arena *arena,
                                  rsm__registration *ret_registration, rsm_error *reterr);

#endif
