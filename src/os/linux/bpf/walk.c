/* walk.c: runs in the kernel (BPF, iter/task), once for every thread of the system: tells which of them have a
 * descriptor or a mapping whose inode number is in a set, or whose name was removed. It only reads, takes no lock and
 * waits for nobody; all that it follows may be freed or change meanwhile, so every load is one that cannot fault, and
 * what it tells is a hint, which the caller confirms. What it must not do is to miss what stays: a table or a tree that
 * it cannot make out it tells as a doubt.
 *
 * A descriptor table that grows is copied: what is open throughout is in both. A maple tree's nodes are replaced, never
 * shifted, and the old ones keep their contents while we are in here (RCU): what is mapped throughout is in both. A
 * node that was replaced before we came to it says so, and that is a doubt, too.
 *
 * No headers of the kernel: every place in its structures is a mark that the loader fills in (layout.h). One section
 * and nothing to relocate: tools/bpf-header turns the object into program.h.
 * SPDX-License-Identifier: MIT */
#include "os/linux/bpf/layout.h"

#define SECTION(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

typedef uint64_t u64;
typedef uint32_t u32;

/* The kernel's own numbers of these helpers never change. */
static long (*const read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static u64 (*const current_ids)(void) = (void *)14;
static void *(*const current_task)(void) = (void *)158;
static long (*const write_record)(void *seq, const void *data, u32 size) = (void *)127;

static const void *(*const cast)(const void *object, u32 type) = (void *)(RSM__MARK_CALL + RSM__CALL_CAST);
static int (*const loop_new)(u64 *loop, int from, int to) = (void *)(RSM__MARK_CALL + RSM__CALL_LOOP_NEW);
static int *(*const loop_next)(u64 *loop) = (void *)(RSM__MARK_CALL + RSM__CALL_LOOP_NEXT);
static void (*const loop_destroy)(u64 *loop) = (void *)(RSM__MARK_CALL + RSM__CALL_LOOP_DESTROY);

#define MEMORY ((volatile rsm__walk_memory *)((u64)RSM__MARK_MEMORY << 32))
#define FIELD(type, base, field)                                                                                       \
  (*(type const volatile *)((const char *)(base) + RSM__MARK_FIELD + 8 * RSM__FIELD_##field))
/* The number as a pointer that the verifier does not trust: it follows those faster. */
#define AS(type, number) cast((const void *)(number), RSM__MARK_TYPE + RSM__TYPE_##type)

/* A loop that the verifier need not unroll. Leave it by `break` only. */
#define LOOP(name, count)                                                                                              \
  u64 loop_##name;                                                                                                     \
  int *name##_at;                                                                                                      \
  loop_new(&loop_##name, 0, (int)(count));                                                                             \
  while ((name##_at = loop_next(&loop_##name)))
#define LOOP_END(name) loop_destroy(&loop_##name)

enum {
  MOST_BATCHES = 1 << 22,
  NODE_SIZE = 256,
  WHOLE = 128 /* our own mark of a node on the stack: nodes lie at multiples of their size, and their type is below */
};

typedef struct context {
  const void *meta;
  const void *task;
} context;

typedef volatile rsm__walk_scratch scratch;

/* A number of which the compiler knows nothing: it would make two paths of it, and so would the verifier, whose work
 * every branch doubles. */
INLINE u64 hidden(u64 number) {
  __asm__ volatile("" : "+r"(number));
  return number;
}

/* An index below size (a power of 2): so that the verifier sees the limit, and the compiler does not make an `or` of an
 * address and a number, which the verifier does not let pass. */
INLINE u64 within(u64 index, u64 size) {
  return hidden(index & (size - 1));
}

INLINE u64 is_zero(u64 number) {
  return hidden(number | (0 - number)) >> 63 ^ 1;
}

/* The verifier knows pointers, and what may not be done with them; what comes from memory is a number. */
INLINE u64 number_of(scratch *s, const void *pointer) {
  s->pointer = (u64)pointer;
  return s->pointer;
}

/* ---- Records ---- */

INLINE void write_out(void *out, scratch *s, u32 kind, u64 removed, u32 device, u64 value, u64 ino) {
  rsm__walk_record record = {
      s->tgid, s->tid, (uint16_t)kind, (uint16_t)removed, device, value, ino, .name_length = s->name_length};
  u64 *name = (u64 *)record.name;
  for (u32 i = 0; i < RSM__WALK_NAME / 8; i++) name[i] = s->name[i];
  write_record(out, &record, sizeof record);
}

INLINE void write_of(void *out, scratch *s, u32 kind, u64 removed, const void *inode, u64 value) {
  u32 device = FIELD(u32, FIELD(const void *, inode, INODE_SUPER), SUPER_DEVICE);
  write_out(out, s, kind, removed, device, value, FIELD(u64, inode, INODE_NUMBER));
}

/* A dentry is hashed no more once its name was removed. */
INLINE u64 is_unhashed(scratch *s, const void *dentry) {
  return is_zero(number_of(s, FIELD(const void *, dentry, DENTRY_HASHED)));
}

/* A root of a file system is not hashed either; it has no
 * other parent than itself. */
INLINE void tell_dentry(void *out, scratch *s, u32 kind, const void *dentry) {
  u64 self = number_of(s, dentry), parent = number_of(s, FIELD(const void *, dentry, DENTRY_PARENT));
  u64 removed = is_unhashed(s, dentry) & ~is_zero(parent ^ self);
  write_of(out, s, kind, removed, FIELD(const void *, dentry, DENTRY_INODE), 0);
}

/* ---- Batches: descriptors, a leaf of the tree of mappings, or a node above ---- */

/* The kernel's structures are scattered all over the memory, and most of the time goes into waiting for it. So a group
 * of files is followed step by step, all of them together and without a branch, for the processor to wait for all at
 * once. A pointer that is 0 reads as 0. */
#define EACH_OF(count, k) _Pragma("unroll") for (u32 k = 0; k < (count); k++)
#define EACH(k) EACH_OF(RSM__WALK_GROUP, k)

/* The files of a leaf's mappings, all looked for at once for the same reason. */
INLINE void find_mapped(scratch *s) {
  volatile u64 *slots = &s->words[within(s->first, RSM__WALK_CHUNK)], *files = &s->words[RSM__WALK_FILES];
  EACH_OF(RSM__WALK_LEAF, k) files[k] = FIELD(u64, AS(VMA, slots[k]), VMA_FILE); /* or the node's own notes */
  s->slots = s->first;
  s->first = RSM__WALK_FILES;
}

/* Mappings of one file that follow each other (a library's) are looked at once. */
INLINE void pack_files(scratch *s) {
  volatile u64 *files = &s->words[RSM__WALK_FILES];
  s->count = s->last = 0;
  LOOP(k, RSM__WALK_LEAF) {
    u64 file = files[within((u32)*k_at, RSM__WALK_LEAF)], count = s->count;
    files[within(count, RSM__WALK_LEAF)] = file;
    s->count = count + ((is_zero(file) | is_zero(file ^ s->last)) ^ 1);
    s->last = file;
  }
  LOOP_END(k);
  files = &files[within(s->count, 2 * RSM__WALK_LEAF)];
  EACH(k) files[k] = 0;
}

INLINE void find_inodes(scratch *s, volatile u64 *files) {
  u64 modes = s->modes;
  EACH(k) {
    const void *file = AS(FILE, files[k]);
    s->masks[k] = is_zero(FIELD(u32, file, FILE_MODE) & modes) - 1;
    s->inodes[k] = FIELD(u64, file, FILE_INODE);
    s->dentries[k] = FIELD(u64, file, FILE_DENTRY);
  }
  EACH(k) {
    s->inos[k] = FIELD(u64, AS(INODE, s->inodes[k] & s->masks[k]), INODE_NUMBER);
    s->hashed[k] = FIELD(u64, AS(DENTRY, s->dentries[k] & s->masks[k]), DENTRY_HASHED);
  }
}

INLINE u64 judge(scratch *s) {
  volatile rsm__walk_filter *filter = &MEMORY->filters[within(s->self, 2)];
  u64 hits = 0, first = filter->first, mask = filter->mask;
  EACH(k) {
    u64 bit = RSM__WALK_BIT(s->inos[k]) & mask;
    u64 wanted = MEMORY->set[within(first + (bit >> 6), 2 * RSM__WALK_WORDS)] >> (bit & 63);
    hits |= ((wanted | is_zero(s->hashed[k])) & s->masks[k] & 1) << k;
  }
  return hits;
}

/* A removed file is ours only by its name. The root of a mount has that of the mount's place. */
INLINE void read_name(scratch *s, const void *file, const void *dentry) {
  u64 root = number_of(s, FIELD(const void *, FIELD(const void *, file, FILE_MOUNT), MOUNT_ROOT));
  u64 failed = (u64)read_kernel((void *)s->name, RSM__WALK_NAME, FIELD(const void *, dentry, DENTRY_NAME));
  u64 known = is_zero(failed) & ~is_zero(root ^ number_of(s, dentry));
  s->name_length = FIELD(u32, dentry, DENTRY_NAME_LENGTH) & (0 - known);
}

/* One file of the group after the other, so that nothing of this stands within a loop of its own: the verifier's work
 * is multiplied by each loop around. */
INLINE void tell_next(void *out, scratch *s) {
  u64 i = within(s->turn, RSM__WALK_GROUP), at = s->group + i, told = s->told, value = s->number + at;
  s->turn = i + 1;
  if (s->hits >> i & 1) {
    read_name(s, AS(FILE, s->words[within(s->first + at, RSM__WALK_CHUNK)]), AS(DENTRY, s->dentries[i]));
    if (s->kind == RSM__WALK_MAP)
      value = FIELD(u64, AS(VMA, s->words[within(s->slots + at, RSM__WALK_CHUNK)]), VMA_START);
    s->told = told + 1;
    if (told < MEMORY->most_told) write_of(out, s, (u32)s->kind, is_zero(s->hashed[i]), AS(INODE, s->inodes[i]), value);
    s->name_length = 0;
  }
  s->hits &= ~(u64)1 << i;
}

/* A leaf in which there is a hit is taken once more, mapping by mapping. */
INLINE void take_again(scratch *s) {
  u64 depth = s->depth;
  s->stack[within(depth, RSM__WALK_STACK)] = s->entry | WHOLE;
  s->depth = depth + 1;
  s->hits = s->count = 0;
}

INLINE void begin_files(scratch *s) {
  if (s->kind == RSM__WALK_MAP) find_mapped(s);
  if (s->packed) pack_files(s);
  s->at = 0;
}

/* As far as the next group with a hit. */
INLINE void look_on(scratch *s) {
  LOOP(group, RSM__WALK_CHUNK / RSM__WALK_GROUP) {
    u64 at = s->at;
    if (at >= s->count) break;
    find_inodes(s, &s->words[within(s->first + at, RSM__WALK_CHUNK)]);
    s->group = at;
    s->at = at + RSM__WALK_GROUP;
    s->turn = 0;
    s->hits = judge(s);
    if (s->hits) break;
  }
  LOOP_END(group);
  if (s->hits && s->packed) take_again(s);
}

INLINE void take_children(scratch *s) {
  LOOP(k, s->count) {
    u64 depth = s->depth;
    s->stack[within(depth, RSM__WALK_STACK)] = s->words[within(s->first + (u32)*k_at, RSM__WALK_CHUNK)];
    s->depth = depth + 1;
  }
  LOOP_END(k);
  s->at = s->count;
}

INLINE int take_descriptors(scratch *s) {
  s->kind = RSM__WALK_FD;
  s->packed = 0;
  s->modes = MEMORY->want_modes; /* no sockets, pipes, ...: the half of all */
  s->first = 0;
  s->count = RSM__WALK_CHUNK;
  s->number = s->next;
  s->next += RSM__WALK_CHUNK;
  return !read_kernel((void *)s->words, RSM__WALK_CHUNK * 8, (const void *)(s->table + s->number * 8));
}

/* A node that was replaced is its own parent. */
INLINE int take_node(scratch *s) {
  u64 depth = s->depth - 1, entry = s->stack[within(depth, RSM__WALK_STACK)];
  u64 node = entry & ~(u64)(NODE_SIZE - 1);
  u32 type = entry >> 3 & 15;
  s->depth = depth;
  s->words[0] = 0;
  if (depth >= RSM__WALK_STACK) return 0;
  read_kernel((void *)s->words, NODE_SIZE, (const void *)node);
  u64 parent = s->words[0];
  if (is_zero(parent) | is_zero((parent & ~(u64)(NODE_SIZE - 1)) ^ node) | (MEMORY->pretend_dead >> s->self & 1))
    return 0;
  s->first = MEMORY->leaf_first;
  s->count = MEMORY->leaf_count;
  s->kind = RSM__WALK_MAP;
  s->packed = is_zero(entry & WHOLE);
  s->entry = entry;
  s->modes = ~(u64)0;
  if (type == MEMORY->leaf_type) return 1;
  s->kind = RSM__WALK_NODE;
  s->packed = 0;
  if (type != MEMORY->node_type) return type == MEMORY->range_type;
  u64 end = MEMORY->node_end;
  s->first = MEMORY->node_first;
  s->count = (s->words[within(end >> 3, RSM__WALK_CHUNK)] >> (end & 7) * 8 & 15) + 1;
  return 1;
}

INLINE int take_batch(scratch *s) {
  int good = s->next < s->size ? take_descriptors(s) : take_node(s);
  if (!good) {
    s->doubts = 1;
    return 0;
  }
  s->batches++;
  if (s->kind == RSM__WALK_NODE)
    take_children(s);
  else
    begin_files(s);
  return 1;
}

INLINE void walk_batches(void *out, scratch *s) {
  LOOP(n, MOST_BATCHES) {
    if (s->hits) {
      tell_next(out, s);
    } else if (s->at < s->count) {
      look_on(s);
    } else if (s->next >= s->size && !s->depth) {
      break;
    } else if (!take_batch(s)) {
      break;
    }
  }
  LOOP_END(n);
  if (s->next < s->size || s->depth) s->doubts = 1; /* it broke off */
}

/* ---- A task ---- */

INLINE void begin_descriptors(scratch *s, const void *files) {
  const void *table = FIELD(const void *, files, FILES_TABLE);
  s->table = FIELD(u64, table, TABLE_FD);
  s->size = FIELD(u32, table, TABLE_SIZE);
  s->doubts |= is_zero(s->size);
}

INLINE void begin_mappings(scratch *s, const void *mm) {
  u64 root = FIELD(u64, mm, MM_TREE);
  s->stack[0] = root;
  s->depth = 1;
  s->doubts |= 1 ^ is_zero((root & 3) ^ 2);
}

INLINE u64 shares(scratch *s, u64 leads, const void *leaders, const void *own) {
  u64 other = number_of(s, leaders);
  return is_zero(other ^ number_of(s, own)) & ~leads;
}

/* What the threads of a process share is looked at through its leader, or, when that has ended, through each. */
INLINE void walk_task(void *out, scratch *s, const void *task, const void *mm) {
  const void *leader = FIELD(const void *, task, TASK_LEADER);
  const void *files = FIELD(const void *, task, TASK_FILES), *fs = FIELD(const void *, task, TASK_FS);
  s->next = s->size = s->depth = s->told = s->doubts = s->name_length = s->hits = s->at = s->count = 0;
  s->tasks++;
  u64 leads = is_zero(s->tid ^ s->tgid);
  if (files && !shares(s, leads, FIELD(const void *, leader, TASK_FILES), files)) begin_descriptors(s, files);
  if (MEMORY->want_directories && fs && !shares(s, leads, FIELD(const void *, leader, TASK_FS), fs)) {
    tell_dentry(out, s, RSM__WALK_CWD, FIELD(const void *, fs, FS_CWD));
    tell_dentry(out, s, RSM__WALK_ROOT, FIELD(const void *, fs, FS_ROOT));
  }
  if (leads | is_zero(number_of(s, FIELD(const void *, leader, TASK_MM)))) {
    const void *exe = FIELD(const void *, mm, MM_EXE);
    if (exe) tell_dentry(out, s, RSM__WALK_EXE, FIELD(const void *, exe, FILE_DENTRY));
    begin_mappings(s, mm);
  }
  walk_batches(out, s);
  u64 doubts = s->doubts | hidden(MEMORY->most_told - s->told) >> 63;
  if (doubts) write_out(out, s, RSM__WALK_DOUBTS, 0, 0, doubts, 0);
}

/* ---- Showing descriptors of our own ---- */

INLINE void show_one(u64 fds, u32 i) {
  u64 file = 0;
  if (i >= RSM__WALK_SHOWN) return;
  u64 from = fds + (u64)MEMORY->show[i] * 8;
  if (read_kernel(&file, 8, (const void *)from) || !file) return;
  const void *inode = FIELD(const void *, AS(FILE, file), FILE_INODE);
  const void *super = FIELD(const void *, inode, INODE_SUPER);
  MEMORY->shown[i].ino = FIELD(u64, inode, INODE_NUMBER);
  MEMORY->shown[i].device = FIELD(u32, super, SUPER_DEVICE);
  MEMORY->shown[i].removed = FIELD(u64, super, SUPER_REMOVED);
}

INLINE void show(void *out) {
  const void *task = AS(TASK, current_task());
  const void *files = FIELD(const void *, task, TASK_FILES);
  const void *table = FIELD(const void *, files, FILES_TABLE);
  u64 fds = FIELD(u64, table, TABLE_FD);
  LOOP(k, MEMORY->show_count) {
    show_one(fds, (u32)*k_at);
  }
  LOOP_END(k);
  rsm__walk_record record = {.kind = RSM__WALK_SHOWED};
  write_record(out, &record, sizeof record);
}

/* Of two readers each takes what the other has not: they start and get on unevenly. A process' threads lie in one
 * block, so they are one reader's, however far apart the kernel hands them out; so are all blocks of one bit. */
INLINE u64 is_others(u32 tgid, u64 reader) {
  u64 block = tgid / RSM__WALK_BLOCK, bit = (u64)1 << (block & 63), word = within(block >> 6, RSM__WALK_BLOCK_WORDS);
  volatile u64 *owned = &MEMORY->owned[within(reader * RSM__WALK_BLOCK_WORDS + word, 2 * RSM__WALK_BLOCK_WORDS)];
  u64 taken = __sync_fetch_and_or(&MEMORY->taken[word], bit);
  u64 ours = *owned | (bit & ~taken);
  *owned = ours;
  return is_zero(ours & bit) & (MEMORY->readers >> 1);
}

SECTION("iter/task") int walk(const context *c) {
  if (!c->task) return 0;
  const void *task = AS(TASK, c->task);
  void *out = (void *)FIELD(const void *, c->meta, META_SEQ);
  if (MEMORY->show_count) {
    show(out);
    return 0;
  }
  const void *mm = FIELD(const void *, task, TASK_MM);
  if (!mm) return 0; /* a thread of the kernel, or one that has ended */
  u64 ids = current_ids();
  u32 tgid = FIELD(u32, task, TASK_TGID);
  u64 self = is_zero(tgid ^ ids >> 32), reader = is_zero((u32)ids ^ MEMORY->second_reader);
  if (MEMORY->only_self & ~self) return 0;
  if (is_others(tgid, reader)) return 0;
  scratch *s =
      (scratch *)hidden((u64)&MEMORY->scratch[within(reader, 2)]); /* all of it at small distances from there */
  s->self = self;
  s->tgid = tgid;
  s->tid = FIELD(u32, task, TASK_PID);
  walk_task(out, s, task, mm);
  return 0;
}
