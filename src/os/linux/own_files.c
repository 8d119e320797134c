/* own_files.c: see own_files.h. SPDX-License-Identifier: MIT */
#include "os/linux/own_files.h"

#include <stdatomic.h>
#include <unistd.h>

static atomic_uint begun, ended;
static atomic_int process; /* a forked child has none of the threads that its parent's counts are of */

static void begin_anew_in_child(void) {
  int self = getpid();
  if (atomic_exchange(&process, self) != self) atomic_store(&ended, atomic_load(&begun));
}

void rsm__own_files_begin(void) {
  begin_anew_in_child();
  atomic_fetch_add(&begun, 1);
}

void rsm__own_files_end(void) {
  atomic_fetch_add(&ended, 1);
}

unsigned rsm__own_files_count(void) {
  return atomic_load(&begun);
}

bool rsm__own_files_held(void) {
  begin_anew_in_child();
  return atomic_load(&begun) != atomic_load(&ended);
}
