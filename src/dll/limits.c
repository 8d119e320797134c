/* limits.c: how long who is forced may take: this machine's settings. SPDX-License-Identifier: MIT */
#include "dll/limits.h"

#include <windows.h>
#include <wchar.h>

enum { LONGEST_MS = 10 * 60 * 1000 };

/* Text of digits, as the system's own settings are. */
static uint32_t setting(HKEY root, const wchar_t *key, const wchar_t *name) {
  wchar_t text[16] = L"";
  DWORD size = sizeof text;
  wchar_t *end;
  if (RegGetValueW(root, key, name, RRF_RT_REG_SZ, NULL, text, &size) != ERROR_SUCCESS) return 0;
  unsigned long value = wcstoul(text, &end, 10);
  return *end || end == text || value > LONGEST_MS ? 0 : (uint32_t)value;
}

uint32_t rsm__limit_applications(void) {
  return setting(HKEY_CURRENT_USER, L"Control Panel\\Desktop", L"HungAppTimeout");
}

uint32_t rsm__limit_services(void) {
  return setting(HKEY_LOCAL_MACHINE, L"SYSTEM\\CurrentControlSet\\Control", L"WaitToKillServiceTimeout");
}
