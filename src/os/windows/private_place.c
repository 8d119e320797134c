/* private_place.c: where a user's private folder is. It is found by the system, not by the environment.
 *
 * Elevated programs have one of their own: in a folder of the user's other programs those could plant a session, and so
 * have an elevated one end or start what they choose. SPDX-License-Identifier: MIT */
#include <shlobj.h>
#include <stdio.h>
#include <string.h>

#include "os/user.h"
#include "os/windows/handle.h"
#include "os/windows/os_error.h"
#include "os/windows/private.h"
#include "os/windows/wide.h"
#include "os/windows/wine.h"

#include <sddl.h>

enum { MAX_TEXT = 512, MAX_NAME = 256 };

#ifdef RSM_TEST_HOOKS
bool rsm__private_hook_elevated;
#else
enum { rsm__private_hook_elevated = false };
#endif

bool rsm__private_elevated(void) {
  RSM_CLEAN_HANDLE HANDLE token = NULL;
  TOKEN_ELEVATION_TYPE type = TokenElevationTypeDefault;
  DWORD size = 0;
  if (rsm__private_hook_elevated) return true;
  if (rsm__under_wine() || !OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) return false;
  return GetTokenInformation(token, TokenElevationType, &type, sizeof type, &size) && type == TokenElevationTypeFull;
}

/* The system's folder for this user's local data, or for all users'. To be freed with rsm__free. */
static rsm_status known_folder(bool elevated, wchar_t **ret_path, rsm_error *reterr) {
  wchar_t *known = NULL, plain[MAX_PATH];
  const KNOWNFOLDERID *id = elevated ? &FOLDERID_ProgramData : &FOLDERID_LocalAppData;
  HRESULT code = SHGetKnownFolderPath(id, KF_FLAG_CREATE, NULL, &known);
  const wchar_t *found = SUCCEEDED(code) ? known : NULL;
  int older = elevated ? CSIDL_COMMON_APPDATA : CSIDL_LOCAL_APPDATA;
  if (!found && SHGetFolderPathW(NULL, older, NULL, SHGFP_TYPE_CURRENT, plain) == S_OK) found = plain;
  rsm_status status = RSM_OK;
  wchar_t *path = found ? rsm__malloc((wcslen(found) + 1) * sizeof *path) : NULL;
  if (!found)
    status =
        rsm__fail_hresult(reterr, (int32_t)code, "SHGetKnownFolderPath", elevated ? "ProgramData" : "LocalAppData");
  else if (!path)
    status = rsm__fail_memory(reterr);
  else
    wcscpy(path, found);
  CoTaskMemFree(known);
  if (status == RSM_OK) *ret_path = path;
  return status;
}

static rsm_status open_known(bool elevated, HANDLE *ret_handle, char text[MAX_TEXT], rsm_error *reterr) {
  RSM_CLEAN_WIDE path = NULL;
  rsm_status status = known_folder(elevated, &path, reterr);
  if (status != RSM_OK) return status;
  rsm__narrow_to(text, MAX_TEXT, path, wcslen(path));
  HANDLE handle = CreateFileW(path, FILE_TRAVERSE | FILE_READ_ATTRIBUTES | SYNCHRONIZE,
                              FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                              FILE_FLAG_BACKUP_SEMANTICS, NULL);
  if (handle == INVALID_HANDLE_VALUE) {
    status = rsm__fail_windows(reterr, GetLastError(), "CreateFileW", text);
    return status == RSM_FILE_NOT_FOUND ? rsm__fail(reterr, RSM_NOT_FOUND, text, "there is no such folder") : status;
  }
  *ret_handle = handle;
  return RSM_OK;
}

/* Of the folder that is ours: where all users' lie side by side it has to say whose it is. */
static rsm_status name_of(const rsm__sid *owner, bool elevated, wchar_t name[MAX_NAME], rsm_error *reterr) {
  RSM_CLEAN_LOCAL wchar_t *sid = NULL;
  wcscpy(name, L"restartmanager");
  if (!elevated) return RSM_OK;
  if (!ConvertSidToStringSidW((PSID)(uintptr_t)owner, &sid))
    return rsm__fail_windows(reterr, GetLastError(), "ConvertSidToStringSidW", NULL);
  _snwprintf(name, MAX_NAME, L"restartmanager-%ls", sid);
  name[MAX_NAME - 1] = 0;
  return RSM_OK;
}

rsm_status rsm__private_place_open(uint32_t uid, unsigned place, bool create, rsm__dir **ret_dir, rsm_error *reterr) {
  RSM_CLEAN_HANDLE HANDLE parent = NULL;
  char parent_text[MAX_TEXT], name_text[MAX_NAME], path[MAX_TEXT + MAX_NAME];
  wchar_t name[MAX_NAME];
  rsm__sid owner;
  bool elevated = rsm__private_elevated();
  if (place > 0)
    return rsm__fail(reterr, RSM_INVALID_PARAMETER, NULL, "there is no place %u for a private folder", place);
  if (uid != rsm__user_current())
    return rsm__fail(reterr, RSM_ACCESS_DENIED, NULL, "a private folder is its own user's only");
  rsm_status status = rsm__sid_current(&owner, reterr);
  if (status == RSM_OK) status = open_known(elevated, &parent, parent_text, reterr);
  if (status == RSM_OK) status = name_of(&owner, elevated, name, reterr);
  if (status != RSM_OK) return status;
  rsm__narrow_to(name_text, sizeof name_text, name, wcslen(name));
  snprintf(path, sizeof path, "%s\\%s", parent_text, name_text);
  return rsm__dir_open_below(parent, name, path, &owner, create, ret_dir, reterr);
}

bool rsm__private_place_in_memory(unsigned place) {
  (void)place;
  return false;
}
