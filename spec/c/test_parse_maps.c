/* test_parse_maps.c: the parsers of maps and mountinfo, with recorded and with hostile text.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "check.h"
#include "os/linux/maps.h"
#include "os/linux/mounts.h"

static const char recorded[] =
    "55d0c0a00000-55d0c0a02000 r--p 00000000 fe:00 393231                     /usr/bin/cat\n"
    "55d0c0a02000-55d0c0a06000 r-xp 00002000 fe:00 393231                     /usr/bin/cat\n"
    "55d0c1c00000-55d0c1c21000 rw-p 00000000 00:00 0                          [heap]\n"
    "7f0000000000-7f0000001000 rw-s 00000000 103:02 18446744073709551615      /srv/a b\\012c (deleted)\n"
    "00400000-00401000 -w-s 00000000 00:2f 7                                  /x\n"
    "7ffd0c1fe000-7ffd0c200000 r-xp 00000000 00:00 0                          [vdso]\n"
    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

static rsm__maps maps_of(const char *text, size_t length) {
  return (rsm__maps){.text = text, .length = length};
}

static void test_recorded_text_gives_the_mappings_of_files(void) {
  rsm__maps maps = maps_of(recorded, sizeof recorded - 1);
  rsm__mapping m;
  char name[64];
  CHECK(rsm__maps_next(&maps, &m));
  CHECK(m.start == 0x55d0c0a00000 && m.end == 0x55d0c0a02000 && !m.write && !m.shared);
  CHECK(m.dev == makedev(0xfe, 0) && m.ino == 393231);
  CHECK(m.name_length == 12 && memcmp(m.name, "/usr/bin/cat", 12) == 0);
  CHECK(rsm__maps_next(&maps, &m));
  CHECK(rsm__maps_next(&maps, &m));
  CHECK(m.write && m.shared && m.dev == makedev(0x103, 2) && m.ino == UINT64_MAX);
  name[rsm__mapping_name(&m, name)] = '\0';
  CHECK_TEXT(name, "/srv/a b\nc (deleted)");
  CHECK(rsm__maps_next(&maps, &m));
  CHECK(m.start == 0x400000 && m.dev == makedev(0, 0x2f) && m.ino == 7);
  CHECK(!rsm__maps_next(&maps, &m));
}

static void test_malformed_lines_are_passed_over(void) {
  static const char *const bad[] = {"",
                                    "\n",
                                    "zz",
                                    "1-2",
                                    "1-2 ",
                                    "1-2 r",
                                    "1-2 r-xp",
                                    "1-2 r-xp 0 fe:00",
                                    "1-2 r-xp 0 fe:00 12",
                                    "1-2 r-xp 0 fe:00 12x /a",
                                    "1-2 r-xp 0 fe00 12 /a",
                                    "1-2 r-xpX0 fe:00 12 /a",
                                    "-2 r-xp 0 fe:00 12 /a",
                                    "1-2 r-xp 0 fe:00 99999999999999999999 /a",
                                    "11111111111111111-2 r-xp 0 fe:00 1 /a",
                                    "1-2 r-xp 0 fffffffff:00 1 /a"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    char text[128];
    rsm__mapping m;
    int length = snprintf(text, sizeof text, "%s\n1-2 r-xp 0 fe:00 5 /good", bad[i]);
    rsm__maps maps = maps_of(text, (size_t)length);
    CHECK(rsm__maps_next(&maps, &m));
    CHECK(m.ino == 5 && m.name_length == 5);
    CHECK(!rsm__maps_next(&maps, &m));
  }
}

static void test_every_cut_and_every_changed_byte_stays_within_the_text(void) {
  for (size_t length = 0; length < sizeof recorded; length++) {
    char *copy = malloc(length + 1); /* of that size, so that the sanitizer sees a read behind it */
    for (int change = 0; change < 4 && copy; change++) {
      memcpy(copy, recorded, length);
      if (change > 0 && length > 0) copy[length / 2] = (char)"\n\0 "[change - 1];
      rsm__maps maps = maps_of(copy, length);
      rsm__mapping m;
      char name[512];
      while (rsm__maps_next(&maps, &m)) CHECK(rsm__mapping_name(&m, name) <= m.name_length);
    }
    free(copy);
  }
}

static const char table[] = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
                            "junk\n"
                            "9 22 0:5 / /proc rw - proc proc rw,hidepid=2\n"
                            "40 22 0:50 / /mnt/a\\040b\\012c rw master:1 propagate_from:2 - nfs4 srv:/x rw\n"
                            "41 22 254:0 /img /mnt rw - ext4 /dev/root rw\n"
                            "42 22 254 / /bad rw - ext4 /dev/root rw\n"
                            "43 22 0:1 / /cut rw - tmpfs\n";

static void test_the_mount_table_is_read(void) {
  rsm__mounts mounts = {0};
  CHECK(rsm__mounts_parse(table, sizeof table - 1, &mounts, NULL) == RSM_OK);
  CHECK_INT(mounts.count, 4);
  CHECK(rsm__mounts_find(&mounts, 9) && rsm__mounts_find(&mounts, 9)->dev == makedev(0, 5));
  CHECK(!rsm__mounts_find(&mounts, 10));
  CHECK_TEXT(rsm__mounts_find(&mounts, 40)->point, "/mnt/a b\nc");
  CHECK_TEXT(rsm__mounts_over(&mounts, "/mnt/a b\nc/d")->type, "nfs4");
  CHECK_TEXT(rsm__mounts_over(&mounts, "/mntx")->point, "/");
  CHECK_TEXT(rsm__mounts_over(&mounts, "/mnt")->root, "/img");
  rsm__mounts_done(&mounts);
}

int main(void) {
  test_recorded_text_gives_the_mappings_of_files();
  test_malformed_lines_are_passed_over();
  test_every_cut_and_every_changed_byte_stays_within_the_text();
  test_the_mount_table_is_read();
  return 0;
}
