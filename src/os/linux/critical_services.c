/* critical_services.c: the one table of units that are not stopped for an update.
 *
 * In it is what would take the user's work, the way in or the ground under other programs with it, or what does not
 * come back by being started again. Not in it: what is back a moment later and was only missed (cups, cron, polkit),
 * ssh (its logins live in scopes of their own; the one that carries us is known otherwise), and what refuses to be
 * stopped by hand, which its manager says itself. SPDX-License-Identifier: MIT */
#include "os/linux/critical_services.h"

#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"

static const char BUS[] = "the message bus";
static const char LOGIN[] = "the login manager";
static const char JOURNAL[] = "the system's journal";
static const char DEVICES[] = "the device manager";
static const char DISPLAY[] = "the display manager";
static const char DESKTOP[] = "the desktop's session";
static const char REMOTE[] = "carries remote desktops";
static const char TERMINAL[] = "carries logins on terminals";
static const char USER[] = "carries all that a user runs";
static const char RESCUE[] = "the system's rescue shell";
static const char NETWORK[] = "the network";
static const char TUNNEL[] = "a tunnel or the routing of the network";
static const char CONTAINERS[] = "carries containers";
static const char MACHINES[] = "carries virtual machines";
static const char STORAGE[] = "carries mounted storage";
static const char CLUSTER[] = "the cluster that this machine belongs to";
static const char WATCHDOG[] = "the watchdog";
static const char INSTALLER[] = "may be installing software";
static const char BOOT[] = "a state of the whole system";

/* One '*' at most, for any text. */
static const struct critical {
  const char *pattern;
  const char *why;
} table[] = {
    /* Its clients take the end of their bus for the end of the session, or of the system. */
    {"dbus.service", BUS},
    {"dbus-broker.service", BUS},
    {"dbus-daemon.service", BUS},
    {"messagebus.service", BUS}, /* an alias of old */
    /* Open seats lose their screens and keyboards, and nobody can log in or switch. */
    {"systemd-logind.service", LOGIN},
    {"elogind.service", LOGIN},
    {"seatd.service", LOGIN},
    /* What its clients say while it is away is lost, and those that hold its socket's old end stay mute. */
    {"systemd-journald.service", JOURNAL},
    {"systemd-journald@*.service", JOURNAL}, /* of one namespace of services */
    /* Devices that appear meanwhile get no names, and mounts that wait for them do not come. */
    {"systemd-udevd.service", DEVICES},
    /* The parent of everybody's graphical session. The first is the alias that all of them have. */
    {"display-manager.service", DISPLAY},
    {"gdm.service", DISPLAY},
    {"gdm3.service", DISPLAY},
    {"lightdm.service", DISPLAY},
    {"sddm.service", DISPLAY},
    {"plasmalogin.service", DISPLAY},
    {"kdm.service", DISPLAY},
    {"lxdm.service", DISPLAY},
    {"mdm.service", DISPLAY},
    {"xdm.service", DISPLAY},
    {"wdm.service", DISPLAY},
    {"slim.service", DISPLAY},
    {"nodm.service", DISPLAY},
    {"entrance.service", DISPLAY},
    {"greetd*.service", DISPLAY}, /* greetd-2.service for a second seat */
    {"cosmic-greeter.service", DISPLAY},
    {"emptty*.service", DISPLAY},
    {"lemurs.service", DISPLAY},
    {"lidm.service", DISPLAY},
    {"ly.service", DISPLAY},
    {"ly@*.service", DISPLAY},   /* one a terminal, since ly 1.1 */
    {"cage@*.service", DISPLAY}, /* a kiosk: the session itself */
    {"weston*.service", DISPLAY},
    /* Units of the user's manager: every window goes with its compositor, and the session manager's end is a logout. */
    {"org.gnome.Shell@*.service", DESKTOP},
    {"gnome-session-manager@*.service", DESKTOP},
    {"plasma-kwin_*.service", DESKTOP},
    {"plasma-ksmserver.service", DESKTOP},
    {"wayland-wm@*.service", DESKTOP},     /* compositors that uwsm starts */
    {"graphical-session.target", DESKTOP}, /* what depends on such a unit would pull it down */
    /* The sessions are their children, unlike those of a display that is only shared (vino, gnome-remote-desktop). */
    {"xrdp.service", REMOTE},
    {"xrdp-sesman.service", REMOTE},
    {"vncserver@*.service", REMOTE},
    {"tigervncserver@*.service", REMOTE},
    {"nxserver.service", REMOTE},
    /* A login there is a child of it until logind has it in a scope; a new one would ask for a password again. */
    {"getty@*.service", TERMINAL},
    {"serial-getty@*.service", TERMINAL},
    {"container-getty@*.service", TERMINAL},
    {"console-getty.service", TERMINAL},
    {"console-shell.service", TERMINAL},
    {"autovt@*.service", TERMINAL},
    {"kmsconvt@*.service", TERMINAL},
    {"kmscon*.service", TERMINAL},
    /* The user's manager with all of its units; /run/user/UID with all sockets in it; the stop of the last takes all
       home directories away. */
    {"user@*.service", USER},
    {"user-runtime-dir@*.service", USER},
    {"session-*.scope", USER},
    {"systemd-homed-activate.service", USER},
    /* Whoever works in one of these has nothing else. */
    {"emergency.service", RESCUE},
    {"rescue.service", RESCUE},
    {"debug-shell.service", RESCUE},
    /* The installer may have come this way, or get its files this way. */
    {"NetworkManager.service", NETWORK},
    {"network-manager.service", NETWORK}, /* its name on older Debian */
    {"systemd-networkd.service", NETWORK},
    {"systemd-resolved.service", NETWORK},
    {"networking.service", NETWORK}, /* ifupdown */
    {"ifup@*.service", NETWORK},
    {"network.service", NETWORK}, /* Red Hat's scripts, and SUSE's alias for what is in charge */
    {"netctl*.service", NETWORK},
    {"wicked*.service", NETWORK},
    {"connman.service", NETWORK},
    {"dhcpcd*.service", NETWORK},
    {"dhclient*.service", NETWORK},
    {"wpa_supplicant*.service", NETWORK},
    {"iwd.service", NETWORK},
    {"hostapd*.service", NETWORK}, /* others come through us */
    {"ModemManager.service", NETWORK},
    {"pppd*.service", NETWORK},
    {"ppp@*.service", NETWORK},
    {"openvswitch*.service", NETWORK}, /* ports and bridges are its own */
    {"ovs-vswitchd.service", NETWORK},
    {"ovsdb-server.service", NETWORK},
    /* The same, farther away. */
    {"openvpn*.service", TUNNEL},
    {"wg-quick@*.service", TUNNEL},
    {"strongswan*.service", TUNNEL},
    {"ipsec.service", TUNNEL},
    {"tinc*.service", TUNNEL},
    {"tailscaled.service", TUNNEL},
    {"zerotier-one.service", TUNNEL},
    {"frr.service", TUNNEL},
    {"quagga*.service", TUNNEL},
    {"bird*.service", TUNNEL},
    /* Its stop ends the containers (docker unless live-restore is set, lxc, nspawn), or leaves their supervisors
     * running as what is left of the unit, which a forced stop would then end with all in them (containerd, cri-o,
     * k3s). podman's service is only a socket's: its containers are scopes of their own. */
    {"docker.service", CONTAINERS},
    {"containerd.service", CONTAINERS},
    {"crio.service", CONTAINERS},
    {"k3s*.service", CONTAINERS},
    {"rke2*.service", CONTAINERS},
    {"k0s*.service", CONTAINERS},
    {"lxc.service", CONTAINERS},
    {"lxc@*.service", CONTAINERS},
    {"lxc-net.service", CONTAINERS}, /* their bridge */
    {"lxcfs.service", CONTAINERS},   /* their /proc: its mounts in them never come back */
    {"lxd*.service", CONTAINERS},
    {"snap.lxd.*.service", CONTAINERS},
    {"incus*.service", CONTAINERS},
    {"systemd-nspawn@*.service", CONTAINERS},
    /* Guests outlive most of these, but not their networks' servers (what is left of libvirtd), locks and consoles; the
     * stop of libvirt-guests shuts all of them down, as that of vz and xendomains does. */
    {"libvirtd.service", MACHINES},
    {"libvirt-guests.service", MACHINES},
    {"virtqemud.service", MACHINES},
    {"virtnetworkd.service", MACHINES},
    {"virtlxcd.service", MACHINES},
    {"virtlockd.service", MACHINES},
    {"virtlogd.service", MACHINES},
    {"qemu-kvm@*.service", MACHINES},
    {"vboxautostart*.service", MACHINES},
    {"xendomains.service", MACHINES},
    {"xenstored.service", MACHINES}, /* cannot be started a second time under running guests */
    {"xenconsoled.service", MACHINES},
    {"pve-guests.service", MACHINES},
    {"pve-cluster.service", MACHINES}, /* a mounted file system: the guests' configuration */
    /* What lies on it hangs, or is taken away under those who use it. */
    {"systemd-cryptsetup@*.service", STORAGE},
    {"systemd-veritysetup@*.service", STORAGE},
    {"systemd-integritysetup@*.service", STORAGE},
    {"multipathd.service", STORAGE}, /* a path that fails now stays failed */
    {"mdmon@*.service", STORAGE},    /* writes the array's state: without it the array does not take writes */
    {"dm-event.service", STORAGE},   /* snapshots and thin pools that fill up now are lost */
    {"lvm2-monitor.service", STORAGE},
    {"lvm2-lvmlockd.service", STORAGE},
    {"iscsid.service", STORAGE},
    {"iscsi.service", STORAGE},
    {"open-iscsi.service", STORAGE},
    {"nbd@*.service", STORAGE},
    {"fcoe.service", STORAGE},
    {"rbdmap.service", STORAGE},
    {"drbd*.service", STORAGE},
    {"zfs-mount.service", STORAGE},
    {"zfs-import*.service", STORAGE},
    /* A node that falls silent is fenced: switched off by the others. */
    {"corosync.service", CLUSTER},
    {"pacemaker.service", CLUSTER},
    {"sbd.service", CLUSTER},
    {"dlm.service", CLUSTER},
    {"sanlock.service", CLUSTER},
    {"wdmd.service", CLUSTER},
    /* A hardware watchdog that is not fed, and cannot be disarmed, resets the machine. */
    {"watchdog.service", WATCHDOG},
    {"wd_keepalive.service", WATCHDOG},
    /* Ended in the middle they leave packages half installed. */
    {"apt-daily*.service", INSTALLER},
    {"unattended-upgrades.service", INSTALLER},
    {"packagekit*.service", INSTALLER},
    {"dnf-automatic*.service", INSTALLER},
    {"dnf5-automatic*.service", INSTALLER},
    {"rpm-ostreed.service", INSTALLER},
    {"transactional-update.service", INSTALLER},
    /* Everything depends on these: whatever would take one of them down takes all. */
    {"sysinit.target", BOOT},
    {"basic.target", BOOT},
    {"local-fs.target", BOOT},
    {"multi-user.target", BOOT},
    {"graphical.target", BOOT},
    {"default.target", BOOT},
    {"init.scope", BOOT},
    {"-.mount", BOOT},
    {"*.slice", BOOT},
};

/* Not fnmatch: what it does with text that is not of the locale's encoding is no matter for names from outside. */
static bool matches(const char *pattern, const char *name) {
  const char *star = strchr(pattern, '*');
  if (!star) return strcmp(pattern, name) == 0;
  size_t before = (size_t)(star - pattern), after = strlen(star + 1), length = strlen(name);
  return length >= before + after && memcmp(name, pattern, before) == 0 &&
         memcmp(name + length - after, star + 1, after) == 0;
}

const char *rsm__critical_service(const char *const *names, size_t count) {
  for (size_t i = 0; i < RSM_COUNT(table); i++)
    for (size_t k = 0; k < count; k++)
      if (matches(table[i].pattern, names[k])) return table[i].why;
  return NULL;
}
