/* walker.c: see walker.h. SPDX-License-Identifier: MIT
 *
 * call                          | purpose                                   | blocks on
 * mmap, read kernel/btf/vmlinux | where the kernel has its fields           | nothing
 * bpf                           | makes, checks and attaches the program    | nothing: the verifier's work, some ms
 * nanosleep                     | another listing is at it                  | WAIT_MS
 *
 * What is kept is one descriptor (close-on-exec), which keeps the program, and the memory that is shared with it. All
 * are in a static place without a lock of the C library's, because a process may fork at any moment: `owner` names the
 * process whose thread is inside, so that a child never waits for its parent's. A child does without both: they are its
 * parent's. The host may have closed all descriptors or given the number to another: it is asked what it is before each
 * use, and never closed on suspicion. */
#define _GNU_SOURCE
#include "os/linux/walker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "os/linux/bpf/program.h"
#include "os/linux/btf.h"
#include "os/linux/fd.h"
#include "os/linux/os_error.h"

enum {
  WAIT_MS = 500,
  MOST_LOADS = 8, /* in one process: something takes the descriptor away again and again */
  STARTS = 16 * 1024,
  CODE_COUNT = sizeof rsm__walk_code / sizeof *rsm__walk_code,
  PATCH_COUNT = sizeof rsm__walk_patches / sizeof *rsm__walk_patches
};

static const char vmlinux[] = "/sys/kernel/btf/vmlinux";
static const char layout_unknown[] = "this kernel's layout is not the one that is understood";

static struct {
  atomic_int owner; /* 0: nobody's */
  atomic_int process;
  int link;
  uint32_t link_id;
  rsm__walk_memory *memory; /* NULL: not loaded */
  rsm_error refusal;        /* of a kernel that would refuse again */
  bool refused;
  unsigned loads;
} kept = {.link = -1};

static int call_bpf(enum bpf_cmd command, union bpf_attr *attr) {
  return (int)syscall(SYS_bpf, command, attr, sizeof *attr);
}

/* ---- Rights ---- */

static bool has_capability(const struct __user_cap_data_struct *sets, unsigned capability) {
  return sets[capability / 32].effective >> (capability % 32) & 1;
}

bool rsm__walker_permitted(void) {
  enum { SYS_ADMIN = 21, PERFMON = 38, BPF = 39 };
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct sets[2] = {{0}};
  if (syscall(SYS_capget, &header, sets) < 0) return false;
  return has_capability(sets, SYS_ADMIN) || (has_capability(sets, BPF) && has_capability(sets, PERFMON));
}

/* ---- The kernel's layout ---- */

enum {
#define NAME_STRUCTURE(name) STRUCTURE_##name,
#define STRUCTURES(X)                                                                                                  \
  X(bpf_iter_meta)                                                                                                     \
  X(task_struct)                                                                                                       \
  X(files_struct)                                                                                                      \
  X(fdtable)                                                                                                           \
  X(fs_struct)                                                                                                         \
  X(file)                                                                                                              \
  X(vfsmount) X(dentry) X(inode) X(super_block) X(mm_struct) X(vm_area_struct) X(maple_range_64) X(maple_arange_64)
  STRUCTURES(NAME_STRUCTURE) STRUCTURE_COUNT
};

typedef struct layout {
  rsm__btf_wanted wanted[STRUCTURE_COUNT + RSM__CALL_COUNT];
  uint32_t fields[RSM__FIELD_COUNT];
  uint32_t places[RSM__PLACE_COUNT];
  uint32_t types[RSM__TYPE_COUNT];
  uint32_t calls[RSM__CALL_COUNT];
} layout;

static const rsm__btf_wanted *structure_of(const layout *l, const char *name) {
  for (size_t i = 0; i < STRUCTURE_COUNT; i++)
    if (strcmp(l->wanted[i].name, name) == 0) return &l->wanted[i];
  return NULL;
}

/* 64 bits, nodes of 256 bytes with 16 and 10 slots: as since there are maple trees. */
static bool has_known_nodes(const rsm__btf *btf, const layout *l) {
  enum { NODE_SIZE = 256, LEAF_SLOTS_AT = 128, NODE_SLOTS_AT = 80 };
  return rsm__btf_size(btf, structure_of(l, "maple_range_64")) == NODE_SIZE &&
         rsm__btf_size(btf, structure_of(l, "maple_arange_64")) <= NODE_SIZE &&
         l->places[RSM__PLACE_LEAF_SLOTS] == LEAF_SLOTS_AT && l->places[RSM__PLACE_NODE_SLOTS] == NODE_SLOTS_AT &&
         l->places[RSM__PLACE_NODE_END] < NODE_SIZE && l->places[RSM__PLACE_NODE_PARENT] == 0 &&
         l->places[RSM__PLACE_NODE_PARENT_TOO] == 0;
}

static bool find_layout(rsm__btf *btf, layout *l) {
  static const struct {
    const char *type, *path;
  } fields[] =
      {
#define PATH_OF(name, type, path) {type, path},
          RSM__WALK_FIELDS(PATH_OF)},
    places[] = {RSM__WALK_PLACES(PATH_OF)};
  static const char *const types[] = {
#define TYPE_OF(name, type) type,
      RSM__WALK_TYPES(TYPE_OF)};
  static const rsm__btf_wanted wanted[] = {
#define WANT_STRUCTURE(structure) {.name = #structure},
#define WANT_FUNCTION(id, function_name) {.name = (function_name), .function = true},
      STRUCTURES(WANT_STRUCTURE) RSM__WALK_CALLS(WANT_FUNCTION)};
  memcpy(l->wanted, wanted, sizeof wanted);
  if (!rsm__btf_find(btf, l->wanted, sizeof wanted / sizeof *wanted)) return false;
  for (int i = 0; i < RSM__FIELD_COUNT; i++)
    if (!rsm__btf_place(btf, structure_of(l, fields[i].type), fields[i].path, &l->fields[i])) return false;
  for (int i = 0; i < RSM__PLACE_COUNT; i++)
    if (!rsm__btf_place(btf, structure_of(l, places[i].type), places[i].path, &l->places[i])) return false;
  for (int i = 0; i < RSM__TYPE_COUNT; i++) l->types[i] = structure_of(l, types[i])->id;
  for (int i = 0; i < RSM__CALL_COUNT; i++) l->calls[i] = l->wanted[STRUCTURE_COUNT + i].id;
  return has_known_nodes(btf, l);
}

typedef struct blob {
  void *data;
  size_t size;
} blob;

static void blob_done(blob *b) {
  if (b->data) munmap(b->data, b->size);
}

/* Before Linux 6.16 it cannot be mapped. 0 or errno. */
static int read_blob(int fd, blob *b) {
  b->data = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (b->data == MAP_FAILED) {
    b->data = NULL;
    return ENOMEM;
  }
  for (size_t got = 0; got < b->size;) {
    ssize_t more = read(fd, (char *)b->data + got, b->size - got);
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) return errno;
    if (more == 0) return EIO;
    got += (size_t)more;
  }
  return 0;
}

static int open_blob(blob *b) {
  struct stat stat;
  RSM_CLEAN_FD int fd = open(vmlinux, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &stat) < 0) return errno;
  b->size = (size_t)stat.st_size;
  if (b->size == 0) return EIO;
  b->data = mmap(NULL, b->size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (b->data != MAP_FAILED) return 0;
  b->data = NULL;
  return read_blob(fd, b);
}

static rsm_status read_layout(layout *l, rsm_error *reterr) {
  RSM_CLEAN(blob_done) blob b = {0};
  RSM_CLEAN_FREE uint32_t *starts = rsm__malloc(STARTS * sizeof *starts);
  rsm__btf btf = {.starts = starts, .start_capacity = STARTS};
  if (!starts) return rsm__fail_memory(reterr);
  int code = open_blob(&b);
  if (code != 0) return rsm__fail_errno(reterr, code, "open", vmlinux);
  if (!rsm__btf_begin(&btf, b.data, b.size) || !find_layout(&btf, l))
    return rsm__fail(reterr, RSM_NOT_SUPPORTED, vmlinux, "%s", layout_unknown);
  return RSM_OK;
}

/* ---- Loading ---- */

/* False: a number does not fit. */
static bool fill_in(struct bpf_insn *code, const layout *l, int map) {
  memcpy(code, rsm__walk_code, sizeof rsm__walk_code);
  for (size_t i = 0; i < PATCH_COUNT; i++) {
    struct bpf_insn *at = &code[rsm__walk_patches[i].at];
    uint32_t value = rsm__walk_patches[i].value;
    switch (rsm__walk_patches[i].kind) {
    case RSM__PATCH_FIELD:
      if (l->fields[value] > INT16_MAX) return false;
      at->off = (int16_t)l->fields[value];
      break;
    case RSM__PATCH_FIELD_ADDED:
      at->imm = (int32_t)l->fields[value];
      break;
    case RSM__PATCH_TYPE:
      at->imm = (int32_t)l->types[value];
      break;
    case RSM__PATCH_CALL:
      at->imm = (int32_t)l->calls[value];
      break;
    default:
      at[0].imm = map;
      at[1].imm = (int32_t)value;
    }
  }
  return true;
}

static rsm_status load_program(const layout *l, int map, int *ret_program, rsm_error *reterr) {
  static const char license[] = "Dual MIT/GPL";
  struct bpf_insn code[CODE_COUNT];
  if (!fill_in(code, l, map)) return rsm__fail(reterr, RSM_NOT_SUPPORTED, vmlinux, "%s", layout_unknown);
  union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_TRACING, .expected_attach_type = BPF_TRACE_ITER};
  attr.insns = (uintptr_t)code;
  attr.insn_cnt = CODE_COUNT;
  attr.license = (uintptr_t)license;
  attr.attach_btf_id = l->calls[RSM__CALL_ATTACH];
  memcpy(attr.prog_name, "rsm_walk", sizeof "rsm_walk");
  int program = call_bpf(BPF_PROG_LOAD, &attr);
  if (program < 0) return rsm__fail_errno(reterr, errno, "bpf(PROG_LOAD)", NULL);
  *ret_program = program;
  return RSM_OK;
}

static rsm_status link_program(int program, int *ret_link, uint32_t *ret_id, rsm_error *reterr) {
  union bpf_attr attr = {0};
  struct bpf_link_info info = {0};
  attr.link_create.prog_fd = (uint32_t)program;
  attr.link_create.attach_type = BPF_TRACE_ITER;
  RSM_CLEAN_FD int link = call_bpf(BPF_LINK_CREATE, &attr);
  if (link < 0) return rsm__fail_errno(reterr, errno, "bpf(LINK_CREATE)", NULL);
  attr = (union bpf_attr){.info = {.bpf_fd = (uint32_t)link, .info_len = sizeof info, .info = (uintptr_t)&info}};
  if (call_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0)
    return rsm__fail_errno(reterr, errno, "bpf(OBJ_GET_INFO_BY_FD)", NULL);
  *ret_id = info.id;
  *ret_link = rsm__fd_take(&link);
  return RSM_OK;
}

static rsm_status make_memory(int *ret_map, rsm__walk_memory **ret_memory, rsm_error *reterr) {
  union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY,
                         .key_size = sizeof(uint32_t),
                         .value_size = sizeof(rsm__walk_memory),
                         .max_entries = 1,
                         .map_flags = BPF_F_MMAPABLE};
  memcpy(attr.map_name, "rsm_walk", sizeof "rsm_walk");
  RSM_CLEAN_FD int map = call_bpf(BPF_MAP_CREATE, &attr);
  if (map < 0) return rsm__fail_errno(reterr, errno, "bpf(MAP_CREATE)", NULL);
  rsm__walk_memory *memory = mmap(NULL, sizeof *memory, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
  if (memory == MAP_FAILED) return rsm__fail_errno(reterr, errno, "mmap", NULL);
  *ret_memory = memory;
  *ret_map = rsm__fd_take(&map);
  return RSM_OK;
}

static void describe_nodes(const layout *l, rsm__walk_memory *memory) {
  enum { LEAF = 1, RANGE = 2, NODE = 3 }; /* enum maple_type */
  memory->leaf_first = l->places[RSM__PLACE_LEAF_SLOTS] / 8;
  memory->leaf_count = 16;
  memory->node_first = l->places[RSM__PLACE_NODE_SLOTS] / 8;
  memory->node_end = l->places[RSM__PLACE_NODE_END];
  memory->leaf_type = LEAF;
  memory->range_type = RANGE;
  memory->node_type = NODE;
}

static rsm_status load(rsm_error *reterr) {
  layout l = {0};
  RSM_CLEAN_FD int map = -1;
  RSM_CLEAN_FD int program = -1;
  rsm__walk_memory *memory = NULL;
  rsm_status status = read_layout(&l, reterr);
  if (status == RSM_OK) status = make_memory(&map, &memory, reterr);
  if (status == RSM_OK) status = load_program(&l, map, &program, reterr);
  if (status == RSM_OK) status = link_program(program, &kept.link, &kept.link_id, reterr);
  if (status != RSM_OK || !memory) {
    if (memory) munmap(memory, sizeof *memory);
    return status;
  }
  describe_nodes(&l, memory);
  kept.memory = memory;
  kept.loads++;
  return RSM_OK;
}

/* ---- What is kept ---- */

/* 1: the descriptor is still the link; 0: it is not any more; -1: cannot be told. */
static int is_our_link(void) {
  struct bpf_link_info info = {0};
  union bpf_attr attr = {.info = {.bpf_fd = (uint32_t)kept.link, .info_len = sizeof info, .info = (uintptr_t)&info}};
  if (kept.link < 0) return 0;
  if (call_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0) return errno == EBADF || errno == EBADFD || errno == EINVAL ? 0 : -1;
  return info.type == BPF_LINK_TYPE_ITER && info.id == kept.link_id;
}

static void forget(void) {
  if (kept.memory) munmap(kept.memory, sizeof *kept.memory);
  kept.memory = NULL;
  kept.link = -1;
}

/* In a child of the process that loaded it: another's. */
static void renounce(void) {
  if (is_our_link() == 1) close(kept.link);
  forget();
  kept.loads = 0;
  kept.refused = false;
  atomic_store(&kept.process, getpid());
}

static bool try_to_take(void) {
  int self = getpid(), owner = atomic_load(&kept.owner);
  return owner != self && atomic_compare_exchange_strong(&kept.owner, &owner, self);
}

static bool take(void) {
  const struct timespec moment = {.tv_nsec = 1000000};
  for (int i = 0; i < WAIT_MS; i++) {
    if (try_to_take()) return true;
    nanosleep(&moment, NULL);
  }
  return false;
}

bool rsm__walker_loaded(void) {
  return atomic_load(&kept.process) == getpid() && kept.memory != NULL;
}

/* A shortage may pass; what the kernel does not allow or know it will not next time either. */
static bool would_refuse_again(rsm_status status) {
  return !rsm__is_shortage(status);
}

static rsm_status ensure_loaded(rsm_error *reterr) {
  if (atomic_load(&kept.process) != getpid()) renounce();
  int ours = kept.memory ? is_our_link() : 0;
  if (ours < 0) return rsm__fail_errno(reterr, errno, "bpf(OBJ_GET_INFO_BY_FD)", NULL);
  if (ours) return RSM_OK;
  forget();
  rsm_status status = kept.refusal.status;
  if (!kept.refused && kept.loads >= MOST_LOADS)
    return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL, "its descriptor was closed again and again");
  if (!kept.refused) {
    status = load(&kept.refusal);
    kept.refused = status != RSM_OK && would_refuse_again(status);
  }
  if (status != RSM_OK && reterr) *reterr = kept.refusal;
  return status;
}

rsm_status rsm__walker_enter(rsm__walk_memory **ret_memory, rsm_error *reterr) {
  if (!take()) return rsm__fail(reterr, RSM_BUSY, NULL, "another listing was using it");
  rsm_status status = ensure_loaded(reterr);
  if (status != RSM_OK) {
    rsm__walker_leave();
    return status;
  }
  *ret_memory = kept.memory;
  return RSM_OK;
}

void rsm__walker_leave(void) {
  atomic_store(&kept.owner, 0);
}

int rsm__walker_begin(void) {
  union bpf_attr attr = {0};
  attr.iter_create.link_fd = (uint32_t)kept.link;
  return call_bpf(BPF_ITER_CREATE, &attr);
}
