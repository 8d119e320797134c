/* parameters.h: what a process was started with and has made of it since, out of its own memory.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_PARAMETERS_H
#define RSM_OS_WINDOWS_PARAMETERS_H

#include <wchar.h>

#include "os/process.h"

/* Untrusted: the process may write there whatever it likes. Text is in the arena and ends at its first NUL; NULL: there
 * is none. */
typedef struct rsm__parameters {
  bool is_32_bit; /* in a 64-bit system: its memory is laid out in its own way */
  const wchar_t *command_line;
  const wchar_t *directory;
  const wchar_t *desktop;
  const wchar_t *environment; /* a whole block; NULL: not asked for, or not to be read */
  size_t environment_length;  /* in units, with both NULs */
  bool has_console;
  bool has_show;
  uint32_t show; /* SW_, if has_show */
} rsm__parameters;

/* RSM_ACCESS_DENIED: its memory is not ours to read. RSM_NOT_SUPPORTED: it cannot be read by a 32-bit program.
 * RSM_NOT_FOUND: it has ended, or has not begun. */
rsm_status rsm__parameters_read(const rsm__process *process, bool with_environment, rsm__arena *arena,
                                rsm__parameters *ret_parameters, rsm_error *reterr);

/* What was read of a process, with what it is in: see rsm__process_note. */
typedef struct rsm__parameters_note {
  rsm__arena arena;
  rsm__parameters read;
} rsm__parameters_note;

void rsm__parameters_note_free(rsm__parameters_note *note); /* NULL-tolerant */
static inline void rsm__clean_parameters_note(rsm__parameters_note **note) {
  rsm__parameters_note_free(*note);
}

#endif
