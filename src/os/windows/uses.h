/* uses.h: what one process uses of the registered files, a step at a time: its program and mappings, then each handle.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_USES_H
#define RSM_OS_WINDOWS_USES_H

#include "os/windows/known.h"
#include "os/windows/nt.h"
#include "os/windows/process_list.h"
#include "os/windows/views.h"

/* A process as far as we may look at it. Zero-initialise. */
typedef struct rsm__looked {
  HANDLE handle;           /* NULL: it may not be opened, or has ended */
  bool ended;              /* or it is another process by now */
  bool may_duplicate;      /* its handles can be asked */
  bool may_read;           /* its memory can be */
  uint32_t code;           /* why not */
  bool has_directory;      /* the two below were looked up */
  uint64_t directories[2]; /* handles of its working directory; 0: not known */
} rsm__looked;

/* secret: only what says who it is and what program it runs. */
void rsm__looked_open(rsm__looked *looked, const rsm_process *id, bool secret);
/* Has it ended since? What is refused then is no refusal. */
void rsm__looked_again(rsm__looked *looked);
void rsm__looked_close(rsm__looked *looked);

typedef struct rsm__found_use {
  rsm_use use;  /* its path in the arena of the uses */
  bool section; /* of a handle to a mapping object: a mapping of the same file says it already */
} rsm__found_use;

/* Zero-initialise, with targets, known.targets, views and places. Belongs to one thread, which may be given up: it owns
 * all that it writes, but for the views. */
typedef struct rsm__uses {
  const rsm__targets *targets;
  rsm__bounded *job; /* the thread that looks: it hears of each step */
  rsm__arena arena;  /* of the uses' paths, until the next step */
  rsm__found_use *items;
  size_t count;
  size_t capacity;
  rsm__known known;
  rsm__views *views; /* those of all threads */
  rsm__view_places places;
  size_t steps;             /* so far; tells for whom a known file was asked last */
  uint32_t program_refused; /* GetLastError() of what could not be asked; 0: nothing */
  uint32_t mappings_refused;
  uint32_t handles_refused;
  /* reused from step to step */
  rsm__matches matches;
  rsm__name name;
  rsm__buffer text;
} rsm__uses;

void rsm__uses_begin(rsm__uses *uses); /* another step */
void rsm__uses_done(rsm__uses *uses);

/* The steps. What has ended, or was closed meanwhile, has no uses. */
rsm_status rsm__uses_program(rsm__uses *uses, const rsm__looked *looked, rsm_error *reterr);
rsm_status rsm__uses_mappings(rsm__uses *uses, const rsm__looked *looked, rsm_error *reterr); /* in the same step */
rsm_status rsm__uses_handle(rsm__uses *uses, rsm__looked *looked, const rsm__listed_handle *handle, rsm_error *reterr);

/* The name of what is mapped at that address, in the kernel's spelling, in *text; NULL: no file, or out of memory
 * (text->failed). */
const UNICODE_STRING *rsm__mapped_name(HANDLE process, const void *address, rsm__buffer *text);
/* Adds the hits in uses->matches. */
rsm_status rsm__uses_add(rsm__uses *uses, const rsm_use *use, bool section, rsm_error *reterr);
/* A file of that name, in the kernel's spelling or Win32's, is mapped or runs: said once a step. *ret_hit: it is one of
 * those that are searched for. May be NULL. */
rsm_status rsm__uses_named(rsm__uses *uses, const wchar_t *name, size_t length, const rsm_use *use, bool section,
                           bool *ret_hit, rsm_error *reterr);

#endif
