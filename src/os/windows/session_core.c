/* SPDX-License-Identifier: MIT */
#include "os/windows/session_core.h"

#include <string.h>

#include "base/cleanup.h"

enum { SYSTEM_PID = 4 };

static const struct core_program {
  const char *name;
  const char *why;
  bool only_wine;
  const char *argument; /* NULL: whatever its arguments are */
} programs[] = {
    {"smss.exe", "the session manager", false, NULL},
    {"csrss.exe", "the Windows subsystem", false, NULL},
    {"wininit.exe", "what starts the system", false, NULL},
    {"winlogon.exe", "the logon process", false, NULL},
    {"logonui.exe", "the logon screen", false, NULL},
    {"lsass.exe", "the security authority", false, NULL},
    {"lsaiso.exe", "the security authority", false, NULL},
    {"services.exe", "the service control manager", false, NULL},
    {"dwm.exe", "the desktop's compositor", false, NULL},
    /* Of these Windows' own are services, and told by that. Wine's carry all programs of the prefix. */
    {"winedevice.exe", "Wine's host of drivers", true, NULL},
    {"plugplay.exe", "Wine's device manager", true, NULL},
    {"svchost.exe", "Wine's host of services", true, NULL},
    {"rpcss.exe", "Wine's RPC service", true, NULL},
    {"wineboot.exe", "what starts the system", true, NULL},
    {"explorer.exe", "Wine's desktop", true, "/desktop"},
};

static bool same_name(const char *a, const char *b) {
  for (; *a && *b; a++, b++)
    if ((*a | 0x20) != (*b | 0x20)) return false;
  return *a == *b;
}

/* explorer takes "/desktop" and "/desktop=name,size". */
static bool has_argument(const rsm__core_question *question, const char *text) {
  for (size_t i = 1; i < question->arg_count; i++)
    if (strncmp(question->args[i], text, strlen(text)) == 0) return true;
  return false;
}

const char *rsm__session_core(const rsm__core_question *question) {
  if (question->pid == SYSTEM_PID && !question->under_wine) return "the kernel";
  for (size_t i = 0; question->is_systems && i < RSM_COUNT(programs); i++) {
    const struct core_program *program = &programs[i];
    if (program->only_wine && !question->under_wine) continue;
    if (!same_name(program->name, question->name)) continue;
    if (!program->argument || has_argument(question, program->argument)) return program->why;
  }
  return question->is_marked ? "a critical process: the system stops when it ends" : NULL;
}
