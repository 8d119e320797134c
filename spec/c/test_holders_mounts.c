/* test_holders_mounts.c: holders behind bind mounts, overlays, on btrfs, in other mount namespaces; mounts and loop
 * devices that hold. Needs root; without it each test says that it was skipped. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "holding.h"

static bool may_mount(const char *what) {
  if (!has_own_mounts) printf("skipped: %s (needs root and mounts)\n", what);
  return has_own_mounts;
}

static void test_bind_mounts(void) {
  if (!may_mount("bind mounts")) return;
  put("bound");
  put("point");
  CHECK(mkdir(in("elsewhere"), 0755) == 0 && mount(in("dir"), in("elsewhere"), NULL, MS_BIND, NULL) == 0);
  put("dir/inside");
  CHECK(mount(in("bound"), in("point"), NULL, MS_BIND, NULL) == 0);
  pid_t child = start(act_open, in("elsewhere/inside"), O_RDONLY);
  find("dir/inside");
  only_use(child, RSM_USE_OPEN, in("dir/inside"));
  find("dir");
  CHECK_TEXT(use_of(child, RSM_USE_OPEN)->path, in("dir/inside"));
  CHECK_TEXT(found.holders[0].name, in("elsewhere"));
  find("elsewhere"); /* that it is mounted where it is uses nothing */
  CHECK_INT(found.count, 1);
  find("bound");
  CHECK_INT(found.count, 1);
  CHECK_TEXT(found.holders[0].name, in("point"));
  CHECK(found.holders[0].process.pid == 0 && found.holders[0].uses[0].how == RSM_USE_MOUNT);
  end(child);
  CHECK(umount(in("point")) == 0 && umount(in("elsewhere")) == 0);
}

static void act_open_in_own_mounts(const char *path, int deleted) {
  CHECK(unshare(CLONE_NEWNS) == 0);
  act_open(path, O_RDONLY);
  act_map(path, 0);
  if (deleted) CHECK(unlink(path) == 0);
}

/* In a chroot the names of another mount namespace's files begin outside of it, for us: then no name can be compared.
 */
static bool names_agree(void) {
  char link[64], text[PATH_MAX];
  pid_t child = start(act_open_in_own_mounts, in("ns"), false);
  snprintf(link, sizeof link, "/proc/%d/root", (int)child);
  bool agree = readlink(link, text, sizeof text) == 1;
  end(child);
  return agree;
}

static void test_another_mount_namespace(void) {
  if (!may_mount("another mount namespace")) return;
  put("ns");
  int cases = names_agree() ? 2 : 1;
  if (cases == 1) printf("skipped: a deleted file's name in another mount namespace (we run in a chroot)\n");
  for (int deleted = 0; deleted < cases; deleted++) {
    put("ns");
    pid_t child = start(act_open_in_own_mounts, in("ns"), deleted);
    find("ns");
    CHECK(use_of(child, RSM_USE_OPEN) && use_of(child, RSM_USE_MAP));
    CHECK_INT(use_of(child, RSM_USE_OPEN)->deleted, deleted);
    end(child);
  }
}

/* A file of the same name on another device, deleted, seen from another mount namespace. */
static void act_open_on_own_tmpfs(const char *path, int unused) {
  (void)unused;
  CHECK(unshare(CLONE_NEWNS) == 0 && mount("none", in("dir"), "tmpfs", 0, NULL) == 0);
  int fd = open(path, O_CREAT | O_RDWR, 0644);
  CHECK(fd >= 0 && ftruncate(fd, 4096) == 0);
  act_map(path, 0);
  CHECK(unlink(path) == 0);
}

static void test_an_equal_name_on_another_device_is_another_file(void) {
  if (!may_mount("an equal name on another device")) return;
  put("dir/same");
  pid_t child = start(act_open_on_own_tmpfs, in("dir/same"), 0);
  find("dir/same");
  CHECK_INT(found.count, 0);
  end(child);
}

static void test_another_mount_below_a_directory_is_named(void) {
  if (!may_mount("a mount below a directory")) return;
  CHECK(mkdir(in("tree/mnt"), 0755) == 0 && mount("none", in("tree/mnt"), "tmpfs", 0, NULL) == 0);
  put("tree/mnt/file");
  pid_t child = start(act_open, in("tree/mnt/file"), O_RDONLY);
  find("tree");
  CHECK_INT(found.count, 0);
  CHECK(!found.complete && unreadable_path(in("tree/mnt")));
  CHECK_TEXT(unreadable_path(in("tree/mnt"))->reason, "another file system is mounted here; it was not searched");
  find("tree/mnt/file");
  CHECK_INT(found.count, 1);
  end(child);
  CHECK(umount(in("tree/mnt")) == 0);
}

/* Opened, mapped, run; then without its name. */
static void check_file(const char *name) {
  pid_t opened = start(act_open, in(name), O_RDONLY), running = start(act_exec, in(name), 0);
  pid_t mapped = start(act_map, in(name), 0);
  await_state(running, 'S');
  find(name);
  CHECK_INT(found.count, 3);
  CHECK(!only_use(opened, RSM_USE_OPEN, in(name))->deleted && !only_use(mapped, RSM_USE_MAP, in(name))->deleted);
  only_use(running, RSM_USE_EXEC, in(name));
  CHECK(unlink(in(name)) == 0);
  find(name);
  CHECK_INT(found.count, 3);
  CHECK(use_of(opened, RSM_USE_OPEN)->deleted && use_of(mapped, RSM_USE_MAP)->deleted);
  end(opened);
  end(running);
  end(mapped);
}

static void test_overlay(void) {
  char options[PATH_MAX * 4];
  if (!may_mount("overlay")) return;
  CHECK(mkdir(in("o"), 0755) == 0 && mount("none", in("o"), "tmpfs", 0, NULL) == 0);
  CHECK(mkdir(in("o/low"), 0755) == 0 && mkdir(in("o/up"), 0755) == 0 && mkdir(in("o/work"), 0755) == 0);
  CHECK(mkdir(in("o/all"), 0755) == 0);
  copy_program("o/low/low");
  copy_program("o/up/up");
  snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s/o/up,workdir=%s", in("o/low"), folder, in("o/work"));
  if (mount("overlay", in("o/all"), "overlay", 0, options) < 0) {
    printf("skipped: overlay (%s)\n", strerror(errno));
  } else {
    check_file("o/all/up");
    check_file("o/all/low");
    CHECK(umount2(in("o/all"), MNT_DETACH) == 0);
  }
  CHECK(umount2(in("o"), MNT_DETACH) == 0);
}

/* A shell's command, for which $i is an image and $m an empty folder. */
static bool run(const char *words) {
  char command[PATH_MAX * 3];
  snprintf(command, sizeof command, "i='%s'; m='%s'; %s", in("btrfs.image"), in("b"), words);
  return system(command) == 0;
}

/* The devices in maps are those of the whole, in stat those of each subvolume; and two of these have equal numbers. */
static void test_btrfs(void) {
  if (!may_mount("btrfs")) return;
  CHECK(mkdir(in("b"), 0755) == 0);
  if (!run("truncate -s 120M \"$i\" && mkfs.btrfs -q \"$i\" >/dev/null 2>&1 && mount -o loop \"$i\" \"$m\" "
           "2>/dev/null")) {
    printf("skipped: btrfs (needs btrfs-progs, and a kernel that has it)\n");
    return;
  }
  CHECK(run("cd \"$m\" && btrfs -q subvolume create one && btrfs -q subvolume create two"));
  copy_program("b/plain");
  copy_program("b/one/file");
  copy_program("b/two/file");
  pid_t other = start(act_map, in("b/two/file"), 0);
  check_file("b/plain");
  check_file("b/one/file");
  end(other);
  CHECK(run("umount \"$m\" && rm \"$i\""));
}

static void test_loop_device(void) {
  char command[PATH_MAX + 300], device[64] = "";
  put("image");
  snprintf(command, sizeof command, "losetup --show -f '%s' 2>/dev/null", in("image"));
  FILE *out = geteuid() == 0 ? popen(command, "r") : NULL;
  if (!out || !fgets(device, sizeof device, out)) {
    printf("skipped: a loop device (needs root and losetup)\n");
    if (out) pclose(out);
    return;
  }
  pclose(out);
  device[strcspn(device, "\n")] = '\0';
  find("image");
  CHECK_INT(found.count, 1);
  CHECK_TEXT(found.holders[0].name, device);
  CHECK(found.holders[0].process.pid == 0 && found.holders[0].uses[0].how == RSM_USE_LOOP);
  snprintf(command, sizeof command, "losetup -d %s", device);
  CHECK(system(command) == 0);
}

static void make_common(void) {
  CHECK(mkdir(in("dir"), 0755) == 0 && mkdir(in("tree"), 0755) == 0);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(test_bind_mounts),
      CHECK_TEST(test_another_mount_namespace),
      CHECK_TEST(test_an_equal_name_on_another_device_is_another_file),
      CHECK_TEST(test_another_mount_below_a_directory_is_named),
      CHECK_TEST(test_overlay),
      CHECK_TEST(test_btrfs),
      CHECK_TEST(test_loop_device),
  };
  begin();
  make_common();
  int code = check_run(tests, RSM_COUNT(tests), argc, argv);
  finish();
  return code;
}
