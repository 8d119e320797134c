/* rights.c: SPDX-License-Identifier: MIT */
#include "os/windows/rights.h"

#include "os/windows/handle.h"
#include "os/windows/os_error.h"
#include "os/windows/wine.h"

/* What older systems do not know is false. */
static bool token_says(HANDLE token, TOKEN_INFORMATION_CLASS what) {
  DWORD value = 0, size = 0;
  return GetTokenInformation(token, what, &value, sizeof value, &size) && value;
}

static rsm_status read_integrity(HANDLE token, uint32_t *ret_integrity, rsm_error *reterr) {
  union {
    TOKEN_MANDATORY_LABEL label;
    unsigned char bytes[sizeof(TOKEN_MANDATORY_LABEL) + SECURITY_MAX_SID_SIZE];
  } told;
  DWORD size = 0;
  if (!GetTokenInformation(token, TokenIntegrityLevel, &told, sizeof told, &size))
    return rsm__fail_windows(reterr, GetLastError(), "GetTokenInformation", "integrity level");
  PSID label = told.label.Label.Sid;
  UCHAR count = *GetSidSubAuthorityCount(label);
  *ret_integrity = count ? *GetSidSubAuthority(label, (DWORD)count - 1) : 0;
  return RSM_OK;
}

rsm_status rsm__rights_of_token(HANDLE token, rsm__capture_rights *ret_rights, rsm_error *reterr) {
  rsm__capture_rights rights = {0};
  DWORD session = 0, size = 0;
  rsm_status status = rsm__sid_of_token(token, &rights.user, reterr);
  if (status == RSM_OK) status = read_integrity(token, &rights.integrity, reterr);
  if (status != RSM_OK) return status;
  if (!GetTokenInformation(token, TokenSessionId, &session, sizeof session, &size))
    return rsm__fail_windows(reterr, GetLastError(), "GetTokenInformation", "session");
  rights.session = session;
  rights.restricted = IsTokenRestricted(token);
  rights.in_app_container = token_says(token, TokenIsAppContainer);
  rights.over_other_windows = token_says(token, TokenUIAccess);
  *ret_rights = rights;
  return RSM_OK;
}

rsm_status rsm__rights_of_process(HANDLE process, rsm__capture_rights *ret_rights, rsm_error *reterr) {
  RSM_CLEAN_HANDLE HANDLE token = NULL;
  if (!OpenProcessToken(process, TOKEN_QUERY, &token))
    return rsm__fail_windows(reterr, GetLastError(), "OpenProcessToken", NULL);
  return rsm__rights_of_token(token, ret_rights, reterr);
}

void rsm__rights_to_look(void) {
  RSM_CLEAN_HANDLE HANDLE token = NULL;
  TOKEN_PRIVILEGES wanted = {.PrivilegeCount = 1, .Privileges[0].Attributes = SE_PRIVILEGE_ENABLED};
  if (rsm__under_wine())
    return; /* it does not heed the privilege, and a thread's own token makes each question dearer */
  if (!LookupPrivilegeValueW(NULL, SE_DEBUG_NAME, &wanted.Privileges[0].Luid) ||
      !ImpersonateSelf(SecurityImpersonation))
    return;
  bool adjusted = OpenThreadToken(GetCurrentThread(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, TRUE, &token) &&
                  AdjustTokenPrivileges(token, FALSE, &wanted, 0, NULL, NULL) && GetLastError() == ERROR_SUCCESS;
  if (!adjusted) RevertToSelf();
}
