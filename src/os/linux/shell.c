/* SPDX-License-Identifier: MIT */
#include "os/linux/shell.h"

#include <string.h>

#include "base/cleanup.h"

static const char *const shells[] = {"sh",    "bash", "rbash", "dash", "zsh", "fish", "ksh",
                                     "ksh93", "mksh", "tcsh",  "csh",  "ash", "yash"};
/* Options whose value is an argument of its own. */
static const char *const with_value[] = {"--rcfile", "--init-file", "-o", "+o", "-O", "+O"};

static const char *base_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static bool is_among(const char *text, const char *const *list, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(text, list[i]) == 0) return true;
  return false;
}

static bool is_shell(const char *name) {
  return is_among(name, shells, RSM_COUNT(shells));
}

static bool is_busybox(const char *exe) {
  return strncmp(base_of(exe), "busybox", strlen("busybox")) == 0; /* also busybox.static */
}

bool rsm__shell_is_program(const char *exe) {
  return exe && (is_shell(base_of(exe)) || is_busybox(exe));
}

/* The options after argv[0]: does one of them, or their absence, make it interactive? */
static bool reads_commands(const char *const *args, size_t count) {
  bool has_command = false, has_operand = false;
  for (size_t i = 0; i < count && !has_operand; i++) {
    const char *arg = args[i];
    bool is_option = (*arg == '-' || *arg == '+') && arg[1];
    if (!is_option || strcmp(arg, "--") == 0) {
      has_operand = is_option ? i + 1 < count : strcmp(arg, "-") != 0;
      if (is_option) break;
    } else if (is_among(arg, with_value, RSM_COUNT(with_value))) {
      i++;
    } else if (*arg == '-' && arg[1] != '-') {
      if (strchr(arg, 'i')) return true;
      has_command = has_command || strchr(arg, 'c');
    } else if (strcmp(arg, "--interactive") == 0) {
      return true;
    } else if (strncmp(arg, "--command", strlen("--command")) == 0) {
      has_command = true;
    }
    if (has_command) break; /* what follows is the command's */
  }
  return !has_command && !has_operand;
}

bool rsm__shell_is_interactive(const char *exe, const char *const *args, size_t count) {
  if (!rsm__shell_is_program(exe) || count == 0) return false;
  bool login = args[0][0] == '-';
  if (is_busybox(exe)) {
    const char *applet = base_of(args[0] + login);
    if (!login && count > 1 && is_busybox(applet)) {
      applet = args[1];
      args++;
      count--;
    }
    if (!is_shell(applet)) return false;
  }
  return login || reads_commands(args + 1, count - 1);
}
