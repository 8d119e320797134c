/* targets.h: what is searched for: the registered paths as identities (device, inode) and as names, read anew for one
 * listing and asked once for each descriptor and mapping of the system. Each question costs a hash, however many
 * files are registered. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_TARGETS_H
#define RSM_OS_LINUX_TARGETS_H

#include "base/buffer.h"
#include "base/index.h"
#include "os/common/wanted.h"
#include "os/linux/lookup.h"
#include "os/linux/mounts.h"
#include "os/linux/tree.h"

/* A file that counts: a registered one, or one of a registered directory's tree. */
typedef struct rsm__target_file {
  uint64_t dev; /* stat's */
  uint64_t ino;
  uint64_t super; /* the superblock's device, which maps shows */
  uint32_t target;
  bool directory;
  bool special;       /* as in tree.h */
  const char *folder; /* as in tree.h; both "" for the registered path itself */
  const char *name;
} rsm__target_file;

/* A name under which a deleted file's holder may still know it. */
typedef struct rsm__target_name {
  const char *text;
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
  rsm__index by_identity; /* (dev, ino) */
  rsm__index by_ino;      /* ino alone, since the device in maps may be another */
  rsm__target_name *names;
  size_t name_capacity;
  rsm__index by_name;
  uint64_t *devices; /* devices of registered paths and of the directories they lie in: stat's and superblocks' */
  size_t device_count;
  size_t device_capacity;
  bool has_directories; /* can a directory be a hit at all? */
  bool has_special;     /* is one neither a directory nor a plain file? */
  rsm__mounts mounts;
  rsm__trees trees;
} rsm__targets;

/* Fills the set. Gaps (paths that did not answer, mounts below a directory) go to trees.gaps. */
rsm_status rsm__targets_build(rsm__targets *targets, const rsm__target *items, size_t count, rsm__lookup *lookup,
                              rsm__task *task, rsm_error *reterr);
void rsm__targets_done(rsm__targets *targets);

/* A hit: names are relative to the registered path. Borrowed from the set, or from the text that was asked for. */
typedef struct rsm__match {
  uint32_t target;
  const char *folder;
  const char *name;
  size_t name_length;
} rsm__match;

/* A reusable list of hits. Zero-initialise; rsm__free(items). */
typedef struct rsm__matches {
  rsm__match *items;
  size_t count;
  size_t capacity;
  bool failed; /* out of memory */
} rsm__matches;

/* All hits of an identity, of a name, into matches, which they empty first. */
void rsm__targets_match_identity(const rsm__targets *targets, uint64_t dev, uint64_t ino, rsm__matches *matches);
void rsm__targets_match_name(const rsm__targets *targets, const char *text, size_t length, rsm__matches *matches);

/* Does a mapping with this device and inode (as maps shows them) belong to a file that counts? */
typedef enum rsm__mapped { RSM__MAPPED_NO, RSM__MAPPED_YES, RSM__MAPPED_PERHAPS } rsm__mapped;
/* YES fills matches; PERHAPS: the inode number is one of ours, the device tells nothing. */
rsm__mapped rsm__targets_match_mapping(const rsm__targets *targets, uint64_t dev, uint64_t ino, rsm__matches *matches);
/* Is there a file that counts with that inode number, on whatever device? */
bool rsm__targets_has_inode(const rsm__targets *targets, uint64_t ino);
/* Keeps of a name's hits those whose file has that inode number. */
void rsm__targets_keep_inode(const rsm__targets *targets, uint64_t ino, rsm__matches *matches);

/* Is it one of the devices on which registered paths lie? */
bool rsm__targets_on_device(const rsm__targets *targets, uint64_t dev);
/* Is there a file at that place, and is it that one? dev is stat's or the superblock's. */
bool rsm__targets_is_place(const rsm__targets *targets, const rsm__place *place, uint64_t dev, uint64_t ino);

/* The hit's path as it was registered, in the arena; NULL: out of memory. */
const char *rsm__match_path(const rsm__targets *targets, const rsm__match *match, rsm__arena *arena);

/* If text ends with " (deleted)" returns the length before that, else 0. */
size_t rsm__deleted_name(const char *text, size_t length);

#endif
