/* setting.h: a setting of this machine's registry, changed for as long as a test needs it. SPDX-License-Identifier: MIT
 */
#ifndef SETTING_H
#define SETTING_H

#include <stdbool.h>
#include <wchar.h>
#include <windows.h>

#include "check.h"

typedef struct setting {
  HKEY root;
  const wchar_t *key, *name;
  wchar_t before[64]; /* to be put back, if it was there */
  bool was_there, changed;
} setting;

/* How long who is forced may take: a user's own. */
static inline setting setting_of_applications(void) {
  return (setting){.root = HKEY_CURRENT_USER, .key = L"Control Panel\\Desktop", .name = L"HungAppTimeout"};
}

/* The same for services: the machine's. */
static inline setting setting_of_services(void) {
  return (setting){
      .root = HKEY_LOCAL_MACHINE, .key = L"SYSTEM\\CurrentControlSet\\Control", .name = L"WaitToKillServiceTimeout"};
}

static inline void setting_write(const setting *at, const wchar_t *text) {
  LSTATUS status =
      text ? RegSetKeyValueW(at->root, at->key, at->name, REG_SZ, text, (DWORD)((wcslen(text) + 1) * sizeof *text))
           : RegDeleteKeyValueW(at->root, at->key, at->name);
  CHECK(status == ERROR_SUCCESS || (!text && status == ERROR_FILE_NOT_FOUND));
}

/* text NULL: there is none. */
static inline void setting_set(setting *at, const wchar_t *text) {
  DWORD size = sizeof at->before;
  if (!at->changed)
    at->was_there = RegGetValueW(at->root, at->key, at->name, RRF_RT_REG_SZ, NULL, at->before, &size) == ERROR_SUCCESS;
  at->changed = true;
  setting_write(at, text);
}

static inline void setting_restore(setting *at) {
  if (at->changed) setting_write(at, at->was_there ? at->before : NULL);
  at->changed = false;
}

#endif
