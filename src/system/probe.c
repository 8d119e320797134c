/* probe.c: SPDX-License-Identifier: MIT
 *
 * call                          | purpose                     | blocks
 * RmStartSession, RmEndSession  | a session for one question  | the registry's lock
 * RmRegisterResources           | the question                | a write to the registry */
#include "system/probe.h"

#include <stdbool.h>

enum { KEY_UNITS = RSM_KEY_LENGTH + 2 };

/* Each question has a session of its own: what was asked before must not fill it up. */
static bool is_refused(const rsm__native *native, const wchar_t **files, size_t count) {
  wchar_t key[KEY_UNITS] = {0};
  DWORD handle;
  if (native->RmStartSession(&handle, 0, key) != ERROR_SUCCESS) return false;
  DWORD code = native->RmRegisterResources(handle, (UINT)count, files, 0, NULL, 0, NULL);
  native->RmEndSession(handle);
  return code == ERROR_WRITE_FAULT;
}

const wchar_t *rsm__probe_refused(const rsm__native *native, const wchar_t **files, size_t count) {
  if (!is_refused(native, files, count)) return NULL;
  if (count == 1) return files[0];
  const wchar_t *found = rsm__probe_refused(native, files, count / 2);
  return found ? found : rsm__probe_refused(native, files + count / 2, count - count / 2);
}
