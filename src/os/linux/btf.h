/* btf.h: the kernel's description of its own types (BTF), as far as one needs it to find a field: ids of types and
 * functions by name, places of members by path. Knows no file, accepts any bytes.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_BTF_H
#define RSM_OS_LINUX_BTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RSM__BTF_STEP = 64 };

typedef struct rsm__btf {
  const uint8_t *types;
  size_t types_size;
  const char *names;
  size_t names_size;
  uint32_t *starts; /* the caller's: where every RSM__BTF_STEP-th type begins */
  size_t start_capacity;
  size_t start_count;
} rsm__btf;

typedef struct rsm__btf_wanted {
  const char *name;
  bool function; /* else a structure */
  uint32_t id;   /* 0: not found */
  uint32_t start;
} rsm__btf_wanted;

/* The parts of a BTF blob. False: it is none, or one of another version. */
bool rsm__btf_begin(rsm__btf *btf, const void *data, size_t size);
/* Finds all of the wanted (at most 64) in one pass. False: some are missing, or the blob is malformed. */
bool rsm__btf_find(rsm__btf *btf, rsm__btf_wanted *wanted, size_t count);
/* Where a member is, in bytes, by a path such as "f_path.dentry"; members of nameless structures and unions are found
 * as in C. Only within types that were passed in finding. False: there is no such whole member. */
bool rsm__btf_place(const rsm__btf *btf, const rsm__btf_wanted *structure, const char *path, uint32_t *ret_place);
/* The structure's size in bytes. */
uint32_t rsm__btf_size(const rsm__btf *btf, const rsm__btf_wanted *structure);

#endif
