/* targets.h: what is searched for: the registered paths as identities (volume, number) and as names, read anew for one
 * listing and asked once for each handle and mapping of the system. Each question costs a hash, however many files are
 * registered. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_TARGETS_H
#define RSM_OS_WINDOWS_TARGETS_H

#include "base/index.h"
#include "os/common/wanted.h"
#include "os/windows/lookup.h"
#include "os/windows/name.h"
#include "os/windows/tree.h"

/* A file that counts: a registered one, or one of a registered directory's tree. */
typedef struct rsm__target_file {
  rsm__file_id id;
  uint32_t target;
  bool directory;
  const char *folder; /* as in tree.h; both "" for the registered path itself */
  const char *name;
} rsm__target_file;

/* A name under which a file may be known whose identity cannot be told: it was deleted, or may not be opened. */
typedef struct rsm__target_name {
  const wchar_t *key; /* as in name.h */
  size_t length;
  uint32_t target;
  bool tree; /* what lies below it counts, too: a directory now, or missing now */
} rsm__target_name;

/* Zero-initialise. Does not change once it is built: threads read it side by side. */
typedef struct rsm__targets {
  rsm__wanted paths;
  rsm__lookup *lookup;
  rsm__target_file *files;
  size_t file_capacity;
  rsm__index by_identity;
  rsm__index by_index; /* the number alone */
  rsm__target_name *names;
  size_t name_capacity;
  rsm__index by_name;
  bool has_directories; /* can a directory be a hit at all? */
  bool has_closed;      /* is there a file that cannot be opened, so that only its name can tell? */
  bool has_numberless;  /* is there one of a volume that gives its files no numbers? */
  bool has_snapshot;    /* is there one in a shadow copy? */
  bool may_lack_volume; /* may an open file's volume be untold? Wine's, once it was renamed */
  bool has_remote;      /* does any of them lie on a server? */
  rsm__letters letters;
  rsm__trees trees;
  rsm__name name;   /* reused while it is built */
  rsm__arena arena; /* of the keys */
} rsm__targets;

/* Fills the set. Gaps (paths that did not answer, volumes below a directory) go to trees.gaps. */
rsm_status rsm__targets_build(rsm__targets *targets, const rsm__target *items, size_t count, rsm__lookup *lookup,
                              rsm__task *task, rsm_error *reterr);
void rsm__targets_done(rsm__targets *targets);

/* A hit: names are relative to the registered path. Borrowed from the set, or from the name that was asked for. */
typedef struct rsm__match {
  uint32_t target;
  const char *folder;
  const char *name;
  const wchar_t *rest; /* instead of the two, if it was found by name */
} rsm__match;

/* A reusable list of hits. Zero-initialise; rsm__free(items). */
typedef struct rsm__matches {
  rsm__match *items;
  size_t count;
  size_t capacity;
  bool failed; /* out of memory */
} rsm__matches;

/* Has any file that counts this number on its volume? */
bool rsm__targets_has_index(const rsm__targets *targets, uint64_t index);
/* All hits of an identity (where the volume is not told: of the number), of a name, into matches, which they empty
 * first. */
void rsm__targets_match_identity(const rsm__targets *targets, const rsm__file_id *id, rsm__matches *matches);
void rsm__targets_match_name(const rsm__targets *targets, const rsm__name *name, rsm__matches *matches);

/* The hit's path as it was registered, in the arena; NULL: out of memory. */
const char *rsm__match_path(const rsm__targets *targets, const rsm__match *match, rsm__arena *arena);

#endif
