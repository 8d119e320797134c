/* test_critical.c: which services are not stopped for an update. SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "check.h"
#include "os/linux/critical_services.h"

static const char *why(const char *name) {
  return rsm__critical_service(&name, 1);
}

static void what_carries_the_machine_or_the_session(void) {
  static const char *const names[] = {
      "dbus.service",
      "dbus-broker.service",
      "systemd-logind.service",
      "elogind.service",
      "systemd-journald.service",
      "systemd-journald@x.service",
      "systemd-udevd.service",
      "display-manager.service",
      "gdm.service",
      "gdm3.service",
      "lightdm.service",
      "sddm.service",
      "ly@tty2.service",
      "greetd.service",
      "greetd-2.service",
      "NetworkManager.service",
      "systemd-networkd.service",
      "systemd-resolved.service",
      "networking.service",
      "ifup@eth0.service",
      "wpa_supplicant.service",
      "wpa_supplicant@wlan0.service",
      "wpa_supplicant-nl80211@wlan0.service",
      "iwd.service",
      "connman.service",
      "dhcpcd.service",
      "dhcpcd@eth0.service",
      "wickedd-nanny.service",
      "getty@tty1.service",
      "serial-getty@ttyS0.service",
      "console-getty.service",
      "container-getty@1.service",
      "autovt@tty1.service",
      "user@1000.service",
      "user-runtime-dir@1000.service",
      "docker.service",
      "containerd.service",
      "lxc@box.service",
      "libvirtd.service",
      "virtqemud.service",
      "systemd-nspawn@box.service",
      "emergency.service",
      "rescue.service",
      "xrdp.service",
      "xrdp-sesman.service",
      "systemd-cryptsetup@sda2_crypt.service",
      "systemd-cryptsetup@a\\x2d*b.service",
      "multipathd.service",
      "iscsid.service",
  };
  for (size_t i = 0; i < RSM_COUNT(names); i++)
    if (!why(names[i])) check_fail(__FILE__, __LINE__, names[i]);
  CHECK_TEXT(why("dbus.service"), "the message bus");
  CHECK_TEXT(why("user@0.service"), "carries all that a user runs");
}

static void others_may_be_stopped(void) {
  static const char *const names[] = {
      "nginx.service",
      "redis-server.service",
      "cron.service",
      "ssh.service",
      "sshd.service",
      "ssh@3-10.0.0.1:22-10.0.0.2:1234.service",
      "cups.service",
      "polkit.service",
      "podman.service",
      "mdbus.service", /* whole names, not parts of them */
      "dbus.service.d",
      "dbus",
      "dbus.socket",
      "my-docker.service",
      "gdm-helper.service",
      "user.service",
      "useradd@x.service",
      "lightdm.service\n",
      "",
      "*",
      "getty@tty1.socket",
  };
  for (size_t i = 0; i < RSM_COUNT(names); i++)
    if (why(names[i])) check_fail(__FILE__, __LINE__, names[i]);
}

static void an_alias_counts(void) {
  static const char *const names[] = {"shiny.service", "a.service", "display-manager.service"};
  CHECK_TEXT(rsm__critical_service(names, 3), "the display manager");
  CHECK_TEXT(rsm__critical_service(names, 2), NULL);
  CHECK_TEXT(rsm__critical_service(NULL, 0), NULL);
}

/* The ends of a pattern may not be matched by the same text. */
static void the_star_stands_between(void) {
  CHECK(!why("getty@.servic"));
  CHECK(why("getty@.service")); /* the text may be empty */
  CHECK(!why("session-.scop"));
  CHECK(why("session-\xff\xfe.scope")); /* bytes, whatever the locale */
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(what_carries_the_machine_or_the_session),
      CHECK_TEST(others_may_be_stopped),
      CHECK_TEST(an_alias_counts),
      CHECK_TEST(the_star_stands_between),
  };
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
