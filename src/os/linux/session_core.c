/* SPDX-License-Identifier: MIT */
#include "os/linux/session_core.h"

#include <string.h>

#include "base/cleanup.h"
#include "os/linux/unit.h"

enum { SHORT_NAME = 15 }; /* the kernel cuts its short names there */

typedef enum match_how {
  MATCH_NAME,
  MATCH_PREFIX,
  MATCH_MAIN_BUS,   /* started as the system's or the session's own bus, not as an application's private one */
  MATCH_USER_FLAG,  /* with --user among the arguments */
  MATCH_PARENT_INIT /* a child of the first process: the one that listens, not one that carries a login */
} match_how;

static const struct core_program {
  const char *name;
  match_how how;
  const char *why;
} programs[] = {
    /* Without logind nobody can log in or switch seats, and open seats lose their devices. */
    {"systemd-logind", MATCH_NAME, "the login manager"},
    {"elogind", MATCH_NAME, "the login manager"},
    {"elogind-daemon", MATCH_NAME, "the login manager"},
    /* A bus cannot be restarted: its clients take its end for the session's. */
    {"dbus-daemon", MATCH_MAIN_BUS, "the message bus"},
    {"dbus-broker", MATCH_NAME, "the message bus"},
    {"dbus-broker-launch", MATCH_NAME, "the message bus"},
    /* Every window goes with its display server; under Wayland the compositor is that server. */
    {"Xorg", MATCH_NAME, "the display server"},
    {"Xwayland", MATCH_NAME, "the display server"},
    {"gnome-shell", MATCH_NAME, "the desktop's compositor"},
    {"mutter", MATCH_NAME, "the desktop's compositor"},
    {"kwin_x11", MATCH_NAME, "the desktop's compositor"},
    {"kwin_wayland", MATCH_NAME, "the desktop's compositor"},
    {"weston", MATCH_NAME, "the desktop's compositor"},
    {"sway", MATCH_NAME, "the desktop's compositor"},
    {"labwc", MATCH_NAME, "the desktop's compositor"},
    {"Hyprland", MATCH_NAME, "the desktop's compositor"},
    /* The display manager is the parent of the session: gdm3, gdm-session-worker, gdm-x-session, gdm-wayland-session.
     */
    {"gdm", MATCH_PREFIX, "the display manager"},
    {"sddm", MATCH_PREFIX, "the display manager"},
    {"lightdm", MATCH_NAME, "the display manager"},
    /* A user's manager takes all of the user's services with it; its helper keeps the login's PAM session open. */
    {"systemd", MATCH_USER_FLAG, "the user's service manager"},
    {"(sd-pam)", MATCH_NAME, "the user's service manager"},
    /* While the journal is away its clients' logs are lost; while udev is, new devices do not appear. */
    {"systemd-journald", MATCH_NAME, "the system's journal"},
    {"systemd-udevd", MATCH_NAME, "the device manager"},
    /* Stopping these can cut off the very connection that the installer came by. */
    {"NetworkManager", MATCH_NAME, "the network manager"},
    {"wpa_supplicant", MATCH_NAME, "the network manager"},
    {"systemd-networkd", MATCH_NAME, "the network manager"},
    /* Whoever came by ssh could not come back. Those that carry a login are found as ancestors, or are applications. */
    {"sshd", MATCH_PARENT_INIT, "the ssh server"},
};

static bool has_argument(const rsm__core_question *question, const char *text) {
  for (size_t i = 1; i < question->arg_count; i++)
    if (strcmp(question->args[i], text) == 0) return true;
  return false;
}

/* cut: name is the kernel's, which holds the first SHORT_NAME bytes only. */
static bool match_name(const struct core_program *program, const char *name, bool cut) {
  if (program->how == MATCH_PREFIX) return strncmp(name, program->name, strlen(program->name)) == 0;
  if (cut && strlen(program->name) > SHORT_NAME) return strncmp(name, program->name, SHORT_NAME) == 0;
  return strcmp(name, program->name) == 0;
}

static bool match_rest(const struct core_program *program, const rsm__core_question *question) {
  switch (program->how) {
  case MATCH_MAIN_BUS:
    return question->args_unknown || has_argument(question, "--system") || has_argument(question, "--session");
  case MATCH_USER_FLAG:
    return question->args_unknown || has_argument(question, "--user");
  case MATCH_PARENT_INIT:
    return question->parent == 1;
  default:
    return true;
  }
}

const char *rsm__session_core(const rsm__core_question *question) {
  if (question->pid == 1) return "the system's first process";
  if (question->cgroup && rsm__parse_unit(question->cgroup).is_manager) return "the user's service manager";
  if (question->exe && !question->exe_is_systems) return NULL;
  const char *slash = question->exe ? strrchr(question->exe, '/') : NULL;
  const char *name = slash ? slash + 1 : question->exe ? question->exe : question->name;
  for (size_t i = 0; i < RSM_COUNT(programs); i++)
    if (match_name(&programs[i], name, !question->exe) && match_rest(&programs[i], question)) return programs[i].why;
  return NULL;
}
