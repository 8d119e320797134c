/* test_parse_btf.c: the kernel's description of its types, and bytes that only look like one.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "check.h"
#include "os/linux/btf.h"

enum { INT = 1, STRUCT = 4, UNION = 5, TYPEDEF = 8, CONST = 10, FUNC = 12, FUNC_PROTO = 13, LATER = 31 };

static struct {
  uint32_t header[6];
  uint8_t bytes[4096];
} blob;
static uint32_t types_size, names_size;
static char names[1024];
static uint32_t starts[16];

static uint32_t name_of(const char *text) {
  uint32_t at = names_size;
  if (!*text) return 0;
  memcpy(names + names_size, text, strlen(text) + 1);
  names_size += (uint32_t)strlen(text) + 1;
  return at;
}

static void put(uint32_t word) {
  memcpy(blob.bytes + types_size, &word, sizeof word);
  types_size += sizeof word;
}

static void put_type(const char *name, uint32_t kind, uint32_t count, uint32_t size) {
  put(name_of(name));
  put(kind << 24 | count);
  put(size);
}

static void put_member(const char *name, uint32_t type, uint32_t bits) {
  put(name_of(name));
  put(type);
  put(bits);
}

static size_t close_blob(void) {
  memcpy(blob.bytes + types_size, names, names_size);
  blob.header[0] = 0x0001EB9F;
  blob.header[1] = sizeof blob.header;
  blob.header[2] = 0;
  blob.header[3] = types_size;
  blob.header[4] = types_size;
  blob.header[5] = names_size;
  return sizeof blob.header + types_size + names_size;
}

static size_t make_blob(void) {
  types_size = 0;
  names_size = 1;
  put_type("int", INT, 0, 4); /* 1 */
  put(32);
  put_type("inner", STRUCT, 2, 8); /* 2 */
  put_member("a", 1, 0);
  put_member("b", 1, 32);
  put_type("", UNION, 2, 8); /* 3 */
  put_member("c", 1, 0);
  put_member("d", 6, 0);
  put_type("outer", STRUCT | 0x80, 4, 32); /* 4: with bit fields */
  put_member("x", 1, 0);
  put_member("flag", 1, 1u << 24 | 33);
  put_member("", 3, 64);
  put_member("last", 5, 192);
  put_type("inner_t", TYPEDEF, 0, 2); /* 5 */
  put_type("", CONST, 0, 5);          /* 6 */
  put_type("", FUNC_PROTO, 1, 0);     /* 7 */
  put(0);
  put(1);
  put_type("outer", FUNC, 0, 7);      /* 8: a name of both kinds */
  put_type("endless", TYPEDEF, 0, 9); /* 9 */
  put_type("loop", STRUCT, 2, 8);     /* 10: within itself */
  put_member("", 10, 0);
  put_member("y", 9, 0);
  return close_blob();
}

static void check_place(const rsm__btf *btf, const rsm__btf_wanted *type, const char *path, int expected) {
  uint32_t place = 0;
  bool there = rsm__btf_place(btf, type, path, &place);
  CHECK_INT(there, expected >= 0);
  if (there) CHECK_INT(place, expected);
}

static void test_places(void) {
  rsm__btf_wanted wanted[] = {
      {.name = "outer"}, {.name = "inner"}, {.name = "outer", .function = true}, {.name = "loop"}};
  rsm__btf btf = {.starts = starts, .start_capacity = 16};
  CHECK(rsm__btf_begin(&btf, &blob, make_blob()));
  CHECK(rsm__btf_find(&btf, wanted, 4));
  CHECK(wanted[0].id == 4 && wanted[1].id == 2 && wanted[2].id == 8);
  CHECK_INT(rsm__btf_size(&btf, &wanted[0]), 32);
  check_place(&btf, &wanted[1], "b", 4);
  check_place(&btf, &wanted[0], "x", 0);
  check_place(&btf, &wanted[0], "c", 8);    /* within a nameless union */
  check_place(&btf, &wanted[0], "d.b", 12); /* behind const and typedef */
  check_place(&btf, &wanted[0], "last.b", 28);
  check_place(&btf, &wanted[0], "last", 24);
  check_place(&btf, &wanted[0], "flag", -1); /* has no byte of its own */
  check_place(&btf, &wanted[0], "x.b", -1);
  check_place(&btf, &wanted[0], "las", -1);
  check_place(&btf, &wanted[0], "last.z", -1);
  check_place(&btf, &wanted[0], "", -1);
  check_place(&btf, &wanted[3], "y.z", -1);
  check_place(&btf, &wanted[3], "nothing", -1);
}

static void test_what_is_missing(void) {
  rsm__btf_wanted wanted[] = {{.name = "inner", .function = true}, {.name = "outer"}};
  rsm__btf btf = {.starts = starts, .start_capacity = 16};
  CHECK(rsm__btf_begin(&btf, &blob, make_blob()));
  CHECK(!rsm__btf_find(&btf, wanted, 2));
  CHECK(wanted[0].id == 0);
  put_type("later", LATER, 0, 0); /* of a kind that is not known: nothing behind it can be found */
  put_type("behind", STRUCT, 0, 0);
  wanted[1] = (rsm__btf_wanted){.name = "behind"};
  CHECK(rsm__btf_begin(&btf, &blob, close_blob()));
  CHECK(!rsm__btf_find(&btf, wanted + 1, 1));
}

/* Whatever is cut off or changed: never past the end. Each try has memory of just that size, for valgrind. */
static void test_any_bytes(void) {
  size_t size = make_blob();
  unsigned seed = 1;
  for (size_t i = 0; i < 4000; i++) {
    size_t length = i < size ? i : size;
    uint8_t *copy = malloc(length + 1);
    rsm__btf_wanted wanted[] = {{.name = "outer"}, {.name = "loop"}};
    rsm__btf btf = {.starts = starts, .start_capacity = 16};
    uint32_t place;
    CHECK(copy);
    memcpy(copy, &blob, length);
    for (int k = 0; i >= size && k < 3; k++) {
      seed = seed * 1103515245 + 12345;
      copy[24 + (seed >> 8) % (length - 24)] = (uint8_t)(seed >> 16);
    }
    if (rsm__btf_begin(&btf, copy, length) && rsm__btf_find(&btf, wanted, 2)) {
      (void)rsm__btf_place(&btf, &wanted[0], "d.b", &place);
      (void)rsm__btf_place(&btf, &wanted[1], "y.z", &place);
    }
    free(copy);
  }
}

int main(int argc, char **argv) {
  static const check_test tests[] = {CHECK_TEST(test_places), CHECK_TEST(test_what_is_missing),
                                     CHECK_TEST(test_any_bytes)};
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
