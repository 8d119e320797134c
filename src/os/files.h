/* files.h: registered paths: made absolute, looked up with a limit, since a dead network mount may never answer.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_FILES_H
#define RSM_OS_FILES_H

#include "base/arena.h"
#include "rsm.h"

/* Absolute text for a path, against the present working directory; doubled slashes and "." parts go, ".." stays (behind
 * a link it is not what it looks like). *ret_path is freed with rsm__free. RSM_BAD_ARGUMENTS: empty. */
rsm_status rsm__files_absolute(const char *path, char **ret_path, rsm_error *reterr);

/* Do two absolute paths, or two services' names, name the same by their spelling? Windows does not mind the case. */
bool rsm__files_same_name(const char *a, const char *b);

/* Remembers which mounts did not answer, so that each costs one wait and at most one thread (of thousands of paths, one
 * a processor used). One a session. */
typedef struct rsm__lookup rsm__lookup;
rsm_status rsm__lookup_new(uint32_t limit_ms, rsm__lookup **ret_lookup, rsm_error *reterr);
/* Its listings do without what looks into the kernel (BPF), where this system has it. */
void rsm__lookup_without_bpf(rsm__lookup *lookup);
rsm__lookup *rsm__lookup_free(rsm__lookup *lookup); /* NULL-tolerant; returns NULL */

/* Real paths (links resolved) of count absolute paths, in the arena, or the given text itself where it is one already;
 * for a missing file the real path of the nearest directory that exists plus the rest. NULL elements: did not answer in
 * time. Cheap for many files of one directory. */
rsm_status rsm__lookup_real(rsm__lookup *lookup, const char *const *paths, size_t count, rsm__arena *arena,
                            const char **ret_reals, rsm_error *reterr);

#endif
