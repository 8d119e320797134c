/* test_parse_capture.c: captures and launch records are read back whole or refused, whatever their bytes are.
 * SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "check.h"
#include "os/launch.h"
#include "os/linux/capture.h"

enum { ROUNDS = 20000 };

static uint64_t state = 88172645463325252ULL;

/* xorshift: the same sequence in every run, so that a failure can be seen again. */
static uint32_t next_random(uint32_t below) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 16) % below;
}

static const char *const ARGV[] = {"nginx", "-c", "", "a b\xff\n"};
static const char *const ENVIRONMENT[] = {"A=1", "B="};
static const uint32_t GROUPS[] = {4, 24, 70000};

static rsm__capture sample(void) {
  rsm__capture capture = {.exe = "/usr/sbin/nginx",
                          .directory = "/",
                          .argv = ARGV,
                          .argc = RSM_COUNT(ARGV),
                          .has_environment = true,
                          .environment = ENVIRONMENT,
                          .environment_count = RSM_COUNT(ENVIRONMENT),
                          .uid = {1, 2, 3},
                          .gid = {4, 5, 6},
                          .groups = GROUPS,
                          .group_count = RSM_COUNT(GROUPS),
                          .cap_bounding = 0x1fffffffff,
                          .no_new_privs = true,
                          .has_limits = true,
                          .umask = 027,
                          .nice = -20,
                          .terminal = {.path = "/dev/pts/1", .device = 34817, .owner = 7, .changed_s = 9, .streams = 3},
                          .cgroup = "/user.slice"};
  for (uint32_t i = 0; i < RSM__CAPTURE_LIMITS; i++) capture.limits[i] = (rsm__capture_limit){i, UINT64_MAX};
  return capture;
}

static void whole(void) {
  RSM_CLEAN_BUFFER rsm__buffer bytes = {0};
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__capture before = sample(), after;
  rsm__capture_encode(&before, &bytes);
  CHECK(!bytes.failed && rsm__capture_decode(bytes.data, bytes.length, &arena, &after));
  CHECK_TEXT(after.exe, before.exe);
  CHECK_TEXT(after.directory, before.directory);
  CHECK_INT(after.argc, before.argc);
  for (size_t i = 0; i < after.argc; i++) CHECK_TEXT(after.argv[i], before.argv[i]);
  CHECK_INT(after.environment_count, 2);
  CHECK(memcmp(after.uid, before.uid, sizeof after.uid) == 0 && memcmp(after.gid, before.gid, sizeof after.gid) == 0);
  CHECK_INT(after.group_count, 3);
  CHECK(memcmp(after.groups, GROUPS, sizeof GROUPS) == 0);
  CHECK(memcmp(after.limits, before.limits, sizeof after.limits) == 0);
  CHECK_INT(after.cap_bounding, before.cap_bounding);
  CHECK_INT(after.umask, 027);
  CHECK_INT(after.nice, -20);
  CHECK_TEXT(after.terminal.path, "/dev/pts/1");
  CHECK_INT(after.terminal.streams, 3);
  CHECK_TEXT(after.cgroup, "/user.slice");
}

static bool decodes(const rsm__capture *capture) {
  RSM_CLEAN_BUFFER rsm__buffer bytes = {0};
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__capture ignored;
  rsm__capture_encode(capture, &bytes);
  return rsm__capture_decode(bytes.data, bytes.length, &arena, &ignored);
}

static void out_of_range(void) {
  rsm__capture capture = sample();
  CHECK(decodes(&capture));
  capture.exe = "nginx";
  CHECK(!decodes(&capture));
  capture.exe = NULL; /* was not readable: allowed here, refused at the start */
  CHECK(decodes(&capture));
  capture.umask = 01000;
  CHECK(!decodes(&capture));
  capture.umask = 0;
  capture.nice = 20;
  CHECK(!decodes(&capture));
  capture.nice = 19;
  capture.uid[1] = UINT32_MAX;
  CHECK(!decodes(&capture));
  capture.uid[1] = 0;
  static const char *const holes[] = {"a", NULL, "b"};
  capture.argv = holes;
  capture.argc = 3;
  CHECK(!decodes(&capture));
  capture.argc = 1;
  static uint32_t many[RSM__CAPTURE_MAX_GROUPS + 1];
  capture.groups = many;
  capture.group_count = RSM__CAPTURE_MAX_GROUPS;
  CHECK(decodes(&capture));
  capture.group_count++;
  CHECK(!decodes(&capture));
}

static void cut_at_every_length(void) {
  RSM_CLEAN_BUFFER rsm__buffer bytes = {0};
  rsm__capture capture = sample();
  rsm__capture_encode(&capture, &bytes);
  for (size_t length = 0; length < bytes.length; length++) {
    RSM_CLEAN_ARENA rsm__arena arena = {0};
    unsigned char *exact = malloc(length ? length : 1); /* so that a sanitizer sees a read beyond the end */
    memcpy(exact, bytes.data, length);
    CHECK(!rsm__capture_decode(exact, length, &arena, &capture));
    free(exact);
  }
}

static void random_changes(void) {
  RSM_CLEAN_BUFFER rsm__buffer bytes = {0};
  rsm__capture capture = sample(), after;
  rsm__capture_encode(&capture, &bytes);
  int refused = 0;
  for (int round = 0; round < ROUNDS; round++) {
    RSM_CLEAN_ARENA rsm__arena arena = {0};
    size_t length = next_random(4) ? bytes.length : next_random((uint32_t)bytes.length) + 1;
    unsigned char *exact = malloc(length);
    memcpy(exact, bytes.data, length);
    for (uint32_t changes = next_random(8); changes; changes--)
      exact[next_random((uint32_t)length)] = (unsigned char)(next_random(3) ? next_random(256) : 0xff);
    refused += !rsm__capture_decode(exact, length, &arena, &after);
    free(exact);
  }
  CHECK(refused > ROUNDS / 10);
  CHECK_INT(rsm__alloc_live(), 1); /* the sample's own bytes */
}

/* A changed capture is refused before anything is started, or names a program that is not there. */
static void start_refuses_garbage(void) {
  unsigned char garbage[300];
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  for (int round = 0; round < 200; round++) {
    for (size_t i = 0; i < sizeof garbage; i++) garbage[i] = (unsigned char)next_random(256);
    rsm__launch_request request = {.capture = garbage, .capture_length = next_random(sizeof garbage)};
    rsm__launched launched;
    CHECK_INT(rsm__launch_start(&request, &arena, &launched, NULL), RSM_BAD_ARGUMENTS);
  }
}

static void records(void) {
  rsm_process process = {.pid = 77};
  CHECK(!rsm__launch_record(NULL, 0, &process));
  unsigned char bytes[64];
  for (int round = 0; round < ROUNDS; round++) {
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)next_random(256);
    if (round % 2) memcpy(bytes, "RSMP\x20\0\0\0", 8);
    CHECK(!rsm__launch_record(bytes, next_random(3) ? 32 : next_random(sizeof bytes), &process));
  }
  CHECK_INT(process.pid, 77);
}

static void no_memory(void) {
  RSM_CLEAN_BUFFER rsm__buffer bytes = {0};
  rsm__capture capture = sample(), after;
  rsm__capture_encode(&capture, &bytes);
  bool whole_again = false;
  for (unsigned long n = 1; !whole_again; n++) {
    RSM_CLEAN_ARENA rsm__arena arena = {0};
    rsm__alloc_fail_at(n, 1);
    whole_again = rsm__capture_decode(bytes.data, bytes.length, &arena, &after);
    rsm__alloc_fail_at(0, 0);
    CHECK(n < 100);
  }
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(whole),          CHECK_TEST(out_of_range),          CHECK_TEST(cut_at_every_length),
      CHECK_TEST(random_changes), CHECK_TEST(start_refuses_garbage), CHECK_TEST(records),
      CHECK_TEST(no_memory),
  };
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
