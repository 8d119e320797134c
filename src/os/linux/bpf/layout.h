/* layout.h: what the program that runs in the kernel (walk.c) and its loader (../walker.c) have in common: the memory
 * through which they talk, and the kernel's fields that the loader has to find.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_BPF_LAYOUT_H
#define RSM_OS_LINUX_BPF_LAYOUT_H

#include <stdint.h>

/* The kernel's fields: X(name here, structure, path within it). Their places differ from kernel to kernel. */
#define RSM__WALK_FIELDS(X)                                                                                            \
  X(META_SEQ, "bpf_iter_meta", "seq")                                                                                  \
  X(TASK_PID, "task_struct", "pid")                                                                                    \
  X(TASK_TGID, "task_struct", "tgid")                                                                                  \
  X(TASK_LEADER, "task_struct", "group_leader")                                                                        \
  X(TASK_MM, "task_struct", "mm")                                                                                      \
  X(TASK_FILES, "task_struct", "files")                                                                                \
  X(TASK_FS, "task_struct", "fs")                                                                                      \
  X(FILES_TABLE, "files_struct", "fdt")                                                                                \
  X(TABLE_SIZE, "fdtable", "max_fds")                                                                                  \
  X(TABLE_FD, "fdtable", "fd")                                                                                         \
  X(FS_ROOT, "fs_struct", "root.dentry")                                                                               \
  X(FS_CWD, "fs_struct", "pwd.dentry")                                                                                 \
  X(FILE_MODE, "file", "f_mode")                                                                                       \
  X(FILE_INODE, "file", "f_inode")                                                                                     \
  X(FILE_DENTRY, "file", "f_path.dentry")                                                                              \
  X(FILE_MOUNT, "file", "f_path.mnt")                                                                                  \
  X(MOUNT_ROOT, "vfsmount", "mnt_root")                                                                                \
  X(DENTRY_HASHED, "dentry", "d_hash.pprev")                                                                           \
  X(DENTRY_PARENT, "dentry", "d_parent")                                                                               \
  X(DENTRY_INODE, "dentry", "d_inode")                                                                                 \
  X(DENTRY_NAME, "dentry", "d_name.name")                                                                              \
  X(DENTRY_NAME_LENGTH, "dentry", "d_name.len")                                                                        \
  X(INODE_NUMBER, "inode", "i_ino")                                                                                    \
  X(INODE_SUPER, "inode", "i_sb")                                                                                      \
  X(SUPER_DEVICE, "super_block", "s_dev")                                                                              \
  X(SUPER_REMOVED, "super_block", "s_remove_count")                                                                    \
  X(MM_EXE, "mm_struct", "exe_file")                                                                                   \
  X(MM_TREE, "mm_struct", "mm_mt.ma_root")                                                                             \
  X(VMA_START, "vm_area_struct", "vm_start")                                                                           \
  X(VMA_FILE, "vm_area_struct", "vm_file")

/* Places that the loader passes on as numbers. */
#define RSM__WALK_PLACES(X)                                                                                            \
  X(LEAF_SLOTS, "maple_range_64", "slot")                                                                              \
  X(NODE_SLOTS, "maple_arange_64", "slot")                                                                             \
  X(NODE_END, "maple_arange_64", "meta.end")                                                                           \
  X(NODE_PARENT, "maple_range_64", "parent")                                                                           \
  X(NODE_PARENT_TOO, "maple_arange_64", "parent")

/* Structures to which the program turns a number that it read. */
#define RSM__WALK_TYPES(X)                                                                                             \
  X(FILE, "file") X(VMA, "vm_area_struct") X(TASK, "task_struct") X(INODE, "inode") X(DENTRY, "dentry")

/* Functions of the kernel: those that it calls, and the one that it is attached to. */
#define RSM__WALK_CALLS(X)                                                                                             \
  X(CAST, "bpf_rdonly_cast")                                                                                           \
  X(LOOP_NEW, "bpf_iter_num_new")                                                                                      \
  X(LOOP_NEXT, "bpf_iter_num_next")                                                                                    \
  X(LOOP_DESTROY, "bpf_iter_num_destroy")                                                                              \
  X(ATTACH, "bpf_iter_task")

#define RSM__FIELD_NAME(name, type, path) RSM__FIELD_##name,
#define RSM__PLACE_NAME(name, type, path) RSM__PLACE_##name,
#define RSM__TYPE_NAME(name, type) RSM__TYPE_##name,
#define RSM__CALL_NAME(name, function) RSM__CALL_##name,
enum { RSM__WALK_FIELDS(RSM__FIELD_NAME) RSM__FIELD_COUNT };
enum { RSM__WALK_PLACES(RSM__PLACE_NAME) RSM__PLACE_COUNT };
enum { RSM__WALK_TYPES(RSM__TYPE_NAME) RSM__TYPE_COUNT };
enum { RSM__WALK_CALLS(RSM__CALL_NAME) RSM__CALL_COUNT };

/* How walk.c marks what the loader fills in; tools/bpf-header knows the same numbers. */
enum {
  RSM__MARK_FIELD = 0x7000, /* + 8 * field, as the offset of a load */
  RSM__MARK_TYPE = 0x7FFE0000,
  RSM__MARK_CALL = 0x7FFD0000,
  RSM__MARK_MEMORY = 0x7FFC0000 /* the upper half of an address within struct rsm__walk_memory */
};

enum { RSM__PATCH_FIELD, RSM__PATCH_FIELD_ADDED, RSM__PATCH_TYPE, RSM__PATCH_CALL, RSM__PATCH_MEMORY };

enum {
  RSM__WALK_WORDS = 32 * 1024, /* of the set of inode numbers: a quarter of a megabyte */
  RSM__OWN_WORDS = 64,         /* of that for our own process, behind it */
  RSM__WALK_SHOWN = 256,       /* descriptors that one resolve can ask for */
  RSM__WALK_STACK = 128,
  RSM__WALK_BLOCK = 4, /* processes that a reader takes at once, by their numbers */
  RSM__WALK_BLOCK_WORDS = 16,
  RSM__WALK_NAME = 24,    /* bytes of a removed name that are told: enough to tell most names apart */
  RSM__WALK_CHUNK = 64,   /* descriptors read at once */
  RSM__WALK_GROUP = 8,    /* of which so many are looked at side by side */
  RSM__WALK_LEAF = 16,    /* mappings of one node at most */
  RSM__WALK_FILES = 32,   /* where in a batch the files of a leaf are: behind the node */
  RSM__WALK_SEEKABLE = 4, /* of f_mode: as they have been since Linux 2.6.39; the canaries would tell */
  RSM__WALK_PATH_ONLY = 0x4000
};

/* What a record is about, and what it tells. Of descriptors and mappings only those are told whose number is in the set
 * or whose name was removed; of program and directories all. The doubts are bits 1 << RSM__WALK_...: what could not be
 * made out. */
enum {
  RSM__WALK_FD,
  RSM__WALK_MAP,
  RSM__WALK_NODE, /* never told */
  RSM__WALK_EXE,
  RSM__WALK_CWD,
  RSM__WALK_ROOT,
  RSM__WALK_DOUBTS,
  RSM__WALK_SHOWED
};

typedef struct rsm__walk_record {
  uint32_t tgid;
  uint32_t tid;
  uint16_t kind;
  uint16_t removed; /* its name was */
  uint32_t device;  /* the file's: its file system's */
  uint64_t value;   /* the descriptor, the mapping's first address, the doubts */
  uint64_t ino;
  uint64_t name_length;      /* of the removed name; 0: not told */
  char name[RSM__WALK_NAME]; /* its beginning; what follows its end is nothing */
} rsm__walk_record;

/* A set of inode numbers: a bit of rsm__walk_memory's set stands for some of them. */
typedef struct rsm__walk_filter {
  uint64_t first; /* of its words */
  uint64_t mask;  /* its number of bits - 1 */
} rsm__walk_filter;

typedef struct rsm__walk_shown {
  uint64_t ino;
  uint64_t removed; /* files of its file system that have no name any more but are still in use */
  uint32_t device;
  uint32_t unused; /* to whole words */
} rsm__walk_shown;

/* Each reader's own: what the program knows of the task under way. Not in registers, so that the kernel's verifier
 * need not follow it through the loops. */
typedef struct rsm__walk_scratch {
  uint64_t words[RSM__WALK_CHUNK + RSM__WALK_GROUP]; /* a batch: descriptors, or a node and its mappings' files */
  uint64_t kind;                                     /* of the batch: RSM__WALK_FD, _MAP (a leaf), _NODE */
  uint64_t first, count;                             /* where in words it begins, and how many */
  uint64_t number;                                   /* of the first descriptor */
  uint64_t modes;                                    /* a file has at least one of these bits in f_mode */
  uint64_t slots;                                    /* where in words a leaf's mappings are */
  uint64_t last;                                     /* of the files that were packed */
  uint64_t packed;                                   /* files stand for more than one mapping each */
  uint64_t entry;                                    /* the node, as it was on the stack */
  uint64_t masks[RSM__WALK_GROUP];                   /* of a group: all bits where there is a file; then pointers */
  uint64_t inodes[RSM__WALK_GROUP];
  uint64_t dentries[RSM__WALK_GROUP];
  uint64_t inos[RSM__WALK_GROUP];
  uint64_t hashed[RSM__WALK_GROUP];
  uint64_t at;                     /* the file in the batch that is next */
  uint64_t group, hits, turn;      /* the last group: where, a bit for each one to be told, whose turn it is */
  uint64_t table, next, size;      /* the descriptors: where, those still to come */
  uint64_t stack[RSM__WALK_STACK]; /* nodes still to be walked */
  uint64_t depth;
  uint64_t name_length, name[RSM__WALK_NAME / 8]; /* of the record */
  uint64_t told;                                  /* records so far */
  uint64_t doubts;                                /* bits 1 << RSM__WALK_... */
  uint64_t self;                                  /* is the task one of our own process? */
  uint64_t pointer;                               /* what is written here is a number when it is read */
  uint64_t batches;                               /* statistics */
  uint64_t tasks;
  uint32_t tgid, tid;
} rsm__walk_scratch;

typedef struct rsm__walk_memory {
  uint32_t show_count; /* not 0: only show the descriptors of `show` */
  uint32_t only_self;
  uint32_t want_directories;
  uint32_t want_modes;             /* bits of f_mode; a descriptor has at least one of them */
  uint32_t most_told;              /* records of one task; more are a doubt of all */
  uint32_t readers;                /* 1, or 2: each process is one's */
  uint32_t second_reader;          /* its thread id */
  uint32_t pretend_dead;           /* a test's: every maple node is, bit 0 of others, bit 1 of our own */
  uint32_t leaf_first, leaf_count; /* slots, in words */
  uint32_t node_first, node_end;   /* the same, and in bytes */
  uint32_t leaf_type, range_type, node_type;
  rsm__walk_filter filters[2]; /* for all others; for ourselves */
  uint32_t show[RSM__WALK_SHOWN];
  rsm__walk_shown shown[RSM__WALK_SHOWN];
  uint64_t taken[RSM__WALK_BLOCK_WORDS];     /* two readers': a bit for each block of processes that one of them has */
  uint64_t owned[2 * RSM__WALK_BLOCK_WORDS]; /* by which of them */
  rsm__walk_scratch scratch[2];
  uint64_t set[2 * RSM__WALK_WORDS];
} rsm__walk_memory;

/* Where in a set a number's bit is, to be masked. */
#define RSM__WALK_BIT(number) ((uint64_t)(number)*0x9E3779B97F4A7C15u >> 40)

#endif
