/* btf.c: see btf.h. SPDX-License-Identifier: MIT */
#include "os/linux/btf.h"

#include <string.h>

enum {
  MAGIC = 0xEB9F,
  VERSION = 1,
  RECORD_SIZE = 12, /* name, kind and count, size or type */
  MEMBER_SIZE = 12,
  MOST_WANTED = 64,
  DEEPEST = 8
};

enum kind {
  KIND_INT = 1,
  KIND_ARRAY = 3,
  KIND_STRUCT = 4,
  KIND_UNION = 5,
  KIND_ENUM = 6,
  KIND_TYPEDEF = 8,
  KIND_VOLATILE = 9,
  KIND_CONST = 10,
  KIND_RESTRICT = 11,
  KIND_FUNC = 12,
  KIND_FUNC_PROTO = 13,
  KIND_VAR = 14,
  KIND_DATASEC = 15,
  KIND_DECL_TAG = 17,
  KIND_TYPE_TAG = 18,
  KIND_ENUM64 = 19,
  KIND_LAST = KIND_ENUM64
};

typedef struct record {
  uint32_t name;
  uint32_t kind;
  uint32_t count;
  bool bitfields;    /* members' places are of bits and have a size of their own */
  uint32_t type;     /* or size */
  const uint8_t *of; /* what follows the record */
} record;

static uint32_t read_u32(const uint8_t *at) {
  uint32_t value;
  memcpy(&value, at, sizeof value);
  return value;
}

bool rsm__btf_begin(rsm__btf *btf, const void *data, size_t size) {
  const uint8_t *bytes = data;
  uint16_t magic;
  if (size < 24) return false;
  memcpy(&magic, bytes, sizeof magic);
  if (magic != MAGIC || bytes[2] != VERSION) return false;
  size_t header = read_u32(bytes + 4), types = read_u32(bytes + 8), types_size = read_u32(bytes + 12);
  size_t names = read_u32(bytes + 16), names_size = read_u32(bytes + 20);
  if (header < 24 || header > size || types > size - header || types_size > size - header - types) return false;
  if (names > size - header || names_size > size - header - names || names_size == 0) return false;
  if (bytes[header + names + names_size - 1] != '\0') return false;
  btf->types = bytes + header + types;
  btf->types_size = types_size;
  btf->names = (const char *)bytes + header + names;
  btf->names_size = names_size;
  btf->start_count = 0;
  return true;
}

static uint32_t rest_size(uint32_t kind, uint32_t count) {
  switch (kind) {
  case KIND_INT:
  case KIND_VAR:
  case KIND_DECL_TAG:
    return 4;
  case KIND_ARRAY:
    return 12;
  case KIND_STRUCT:
  case KIND_UNION:
  case KIND_DATASEC:
  case KIND_ENUM64:
    return 12 * count;
  case KIND_ENUM:
  case KIND_FUNC_PROTO:
    return 8 * count;
  default:
    return 0;
  }
}

/* False: malformed, or of a kind that came later. *ret_end: where the next one begins. */
static bool read_record(const rsm__btf *btf, size_t at, record *ret_record, size_t *ret_end) {
  if (at > btf->types_size || btf->types_size - at < RECORD_SIZE) return false;
  const uint8_t *bytes = btf->types + at;
  uint32_t info = read_u32(bytes + 4);
  record r = {.name = read_u32(bytes), .kind = info >> 24 & 31, .count = info & 0xffff, .bitfields = info >> 31};
  uint32_t rest = rest_size(r.kind, r.count);
  if (r.kind == 0 || r.kind > KIND_LAST || btf->types_size - at - RECORD_SIZE < rest) return false;
  if (r.name >= btf->names_size) return false;
  r.type = read_u32(bytes + 8);
  r.of = bytes + RECORD_SIZE;
  *ret_record = r;
  *ret_end = at + RECORD_SIZE + rest;
  return true;
}

static uint32_t sign_of(const char *name) {
  uint32_t sign = (uint8_t)name[0]; /* the end of the names is a NUL: never read past it */
  for (int i = 1; i < 4 && name[i - 1]; i++) sign = sign * 31 + (uint8_t)name[i];
  return sign * 0x9E3779B1u >> 24;
}

/* Nearly every name is sorted out by its first letters. */
static size_t take_if_wanted(const rsm__btf *btf, const record *r, uint32_t id, uint32_t start, rsm__btf_wanted *wanted,
                             size_t count) {
  const char *name = btf->names + r->name;
  for (size_t i = 0; i < count; i++) {
    rsm__btf_wanted *w = &wanted[i];
    if (w->id != 0 || w->function != (r->kind == KIND_FUNC) || strcmp(w->name, name) != 0) continue;
    w->id = id;
    w->start = start;
    return 1;
  }
  return 0;
}

bool rsm__btf_find(rsm__btf *btf, rsm__btf_wanted *wanted, size_t count) {
  bool signs[256] = {false};
  size_t left = count, at = 0;
  if (count > MOST_WANTED) return false;
  for (size_t i = 0; i < count; i++) {
    signs[sign_of(wanted[i].name)] = true;
    wanted[i].id = 0;
  }
  for (uint32_t id = 1; left > 0; id++) {
    record r;
    size_t start = at;
    if (!read_record(btf, at, &r, &at)) return false;
    if (id % RSM__BTF_STEP == 0 && btf->start_count < btf->start_capacity)
      btf->starts[btf->start_count++] = (uint32_t)start;
    if ((r.kind == KIND_STRUCT || r.kind == KIND_FUNC) && signs[sign_of(btf->names + r.name)])
      left -= take_if_wanted(btf, &r, id, (uint32_t)start, wanted, count);
  }
  return true;
}

static bool record_of(const rsm__btf *btf, uint32_t id, record *ret_record) {
  size_t step = id / RSM__BTF_STEP, at = 0, end;
  uint32_t from = 1;
  if (id == 0) return false;
  if (step > btf->start_count) step = btf->start_count;
  if (step > 0) {
    at = btf->starts[step - 1];
    from = (uint32_t)step * RSM__BTF_STEP;
  }
  for (;; at = end) {
    if (!read_record(btf, at, ret_record, &end)) return false;
    if (from++ == id) return true;
  }
}

/* The structure or union behind names and qualifiers. */
static bool whole_of(const rsm__btf *btf, uint32_t id, record *ret_record) {
  for (int i = 0; i < DEEPEST; i++) {
    if (!record_of(btf, id, ret_record)) return false;
    switch (ret_record->kind) {
    case KIND_STRUCT:
    case KIND_UNION:
      return true;
    case KIND_TYPEDEF:
    case KIND_VOLATILE:
    case KIND_CONST:
    case KIND_RESTRICT:
    case KIND_TYPE_TAG:
      id = ret_record->type;
      break;
    default:
      return false;
    }
  }
  return false;
}

/* What is to be found next: a path's rest, from a structure's place on. */
typedef struct search {
  const char *path;
  uint32_t place;
  int depth;
} search;

static bool find_member(const rsm__btf *btf, const record *whole, search s, uint32_t *ret_place);

/* False also if the path goes on, but not into that member. */
static bool enter_member(const rsm__btf *btf, uint32_t type, search s, uint32_t *ret_place) {
  record inner;
  return whole_of(btf, type, &inner) && find_member(btf, &inner, s, ret_place);
}

static bool find_member(const rsm__btf *btf, const record *whole, search s, uint32_t *ret_place) {
  size_t length = strcspn(s.path, ".");
  if (s.depth >= DEEPEST) return false;
  for (uint32_t i = 0; i < whole->count; i++) {
    const uint8_t *member = whole->of + (size_t)i * MEMBER_SIZE;
    uint32_t name = read_u32(member), type = read_u32(member + 4), bits = read_u32(member + 8);
    uint32_t width = whole->bitfields ? bits >> 24 : 0;
    if (whole->bitfields) bits &= 0xffffff;
    if (name >= btf->names_size) return false;
    search inner = {.path = s.path, .place = s.place + bits / 8, .depth = s.depth + 1};
    const char *text = btf->names + name;
    if (*text == '\0') {
      if (enter_member(btf, type, inner, ret_place)) return true;
      continue;
    }
    if (strncmp(text, s.path, length) != 0 || text[length] != '\0') continue;
    if (width != 0 || bits % 8 != 0) return false;
    if (s.path[length] == '\0') {
      *ret_place = inner.place;
      return true;
    }
    inner.path += length + 1;
    return enter_member(btf, type, inner, ret_place);
  }
  return false;
}

bool rsm__btf_place(const rsm__btf *btf, const rsm__btf_wanted *structure, const char *path, uint32_t *ret_place) {
  record whole;
  size_t end;
  search s = {.path = path};
  return read_record(btf, structure->start, &whole, &end) && find_member(btf, &whole, s, ret_place);
}

uint32_t rsm__btf_size(const rsm__btf *btf, const rsm__btf_wanted *structure) {
  record whole;
  size_t end;
  return read_record(btf, structure->start, &whole, &end) ? whole.type : 0;
}
