/* user.c: accounts. Names come from this machine alone: LookupAccountSidW of a domain's account asks a controller of
 * that domain, and one that does not answer would hold up a listing. Such an account is called as its profile's folder
 * on this machine is. SPDX-License-Identifier: MIT */
#include "os/user.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>
#include <lmcons.h>
#include <ntsecapi.h>
#include <sddl.h>

#include "base/buffer.h"
#include "os/windows/account.h"
#include "os/windows/handle.h"
#include "os/windows/os_error.h"
#include "os/windows/wide.h"

enum { NAME_ROOM = UNLEN + 1, PATH_ROOM = 1024 };

/* ---- SIDs -------------------------------------------------------------------------------------------------------- */

bool rsm__sid_copy(rsm__sid *to, PSID from) {
  rsm__sid copy = {0};
  if (!from || !IsValidSid(from) || !CopySid(sizeof copy, &copy, from)) return false;
  *to = copy;
  return true;
}

bool rsm__sid_equal(const rsm__sid *a, const rsm__sid *b) {
  return EqualSid((PSID)(uintptr_t)a, (PSID)(uintptr_t)b) != 0;
}

bool rsm__sid_well_known(WELL_KNOWN_SID_TYPE type, rsm__sid *ret_sid) {
  rsm__sid sid = {0};
  DWORD size = sizeof sid;
  if (!CreateWellKnownSid(type, NULL, &sid, &size)) return false;
  *ret_sid = sid;
  return true;
}

rsm_status rsm__sid_of_token(HANDLE token, rsm__sid *ret_sid, rsm_error *reterr) {
  struct {
    TOKEN_USER user;
    rsm__sid room;
  } answer = {0};
  DWORD size = 0;
  if (!GetTokenInformation(token, TokenUser, &answer, sizeof answer, &size))
    return rsm__fail_windows(reterr, GetLastError(), "GetTokenInformation", NULL);
  if (!rsm__sid_copy(ret_sid, answer.user.User.Sid))
    return rsm__fail(reterr, RSM_GEN_FAILURE, NULL, "the system's answer holds no account");
  return RSM_OK;
}

rsm_status rsm__sid_current(rsm__sid *ret_sid, rsm_error *reterr) {
  RSM_CLEAN_HANDLE HANDLE token = NULL;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
    return rsm__fail_windows(reterr, GetLastError(), "OpenProcessToken", NULL);
  return rsm__sid_of_token(token, ret_sid, reterr);
}

uint32_t rsm__sid_number(const rsm__sid *sid) {
  uint32_t number = rsm__crc32c(sid, GetLengthSid((PSID)(uintptr_t)sid));
  return number ? number : 1; /* 0 is root elsewhere */
}

uint32_t rsm__user_current(void) {
  rsm__sid sid;
  return rsm__sid_current(&sid, NULL) == RSM_OK ? rsm__sid_number(&sid) : 1;
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

/* The SID that all accounts of this machine begin with. */
static bool machine_sid(rsm__sid *ret_sid) {
  LSA_OBJECT_ATTRIBUTES attributes = {.Length = sizeof attributes};
  LSA_HANDLE policy = NULL;
  POLICY_ACCOUNT_DOMAIN_INFO *domain = NULL;
  if (LsaOpenPolicy(NULL, &attributes, POLICY_VIEW_LOCAL_INFORMATION, &policy) != 0) return false;
  bool found = LsaQueryInformationPolicy(policy, PolicyAccountDomainInformation, (void **)&domain) == 0 && domain &&
               rsm__sid_copy(ret_sid, domain->DomainSid);
  if (domain) LsaFreeMemory(domain);
  LsaClose(policy);
  return found;
}

/* Would the question leave this machine? Accounts of domains (S-1-5-21-...) and of directories (S-1-12-...) do. */
static bool is_elsewhere(const rsm__sid *sid) {
  static const SID_IDENTIFIER_AUTHORITY nt = {SECURITY_NT_AUTHORITY}, directory = {{0, 0, 0, 0, 0, 12}};
  PSID plain = (PSID)(uintptr_t)sid;
  if (memcmp(&sid->sid.IdentifierAuthority, &directory, sizeof directory) == 0) return true;
  if (memcmp(&sid->sid.IdentifierAuthority, &nt, sizeof nt) != 0) return false;
  if (sid->sid.SubAuthorityCount < 4 || *GetSidSubAuthority(plain, 0) != SECURITY_NT_NON_UNIQUE) return false;
  rsm__sid machine;
  return !machine_sid(&machine) || !EqualPrefixSid(plain, &machine) ||
         sid->sid.SubAuthorityCount != machine.sid.SubAuthorityCount + 1;
}

static bool look_up(const rsm__sid *sid, wchar_t name[NAME_ROOM]) {
  wchar_t domain[DNLEN + 256];
  DWORD name_size = NAME_ROOM, domain_size = RSM_COUNT(domain);
  SID_NAME_USE use;
  return LookupAccountSidW(NULL, (PSID)(uintptr_t)sid, name, &name_size, domain, &domain_size, &use) && name[0];
}

static bool name_from_profile(const wchar_t *sid_text, wchar_t name[NAME_ROOM]) {
  wchar_t key[PATH_ROOM], path[PATH_ROOM];
  DWORD size = sizeof path;
  _snwprintf(key, RSM_COUNT(key), L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList\\%ls", sid_text);
  key[RSM_COUNT(key) - 1] = 0;
  /* Both kinds of text, and not expanded: only the last part counts. */
  if (RegGetValueW(HKEY_LOCAL_MACHINE, key, L"ProfileImagePath", RRF_RT_REG_SZ | RRF_RT_REG_EXPAND_SZ | RRF_NOEXPAND,
                   NULL, path, &size) != ERROR_SUCCESS)
    return false;
  const wchar_t *last = wcsrchr(path, L'\\');
  if (!last || !last[1] || wcslen(last + 1) >= NAME_ROOM) return false;
  wcscpy(name, last + 1);
  return true;
}

static bool is_current(const rsm__sid *sid) {
  rsm__sid current;
  return rsm__sid_current(&current, NULL) == RSM_OK && rsm__sid_equal(sid, &current);
}

const char *rsm__sid_name(const rsm__sid *sid, rsm__arena *arena) {
  wchar_t name[NAME_ROOM];
  DWORD size = NAME_ROOM;
  RSM_CLEAN_LOCAL wchar_t *text = NULL;
  if (is_current(sid) && GetUserNameW(name, &size) && name[0]) return rsm__narrow_text_in(arena, name);
  if (!is_elsewhere(sid) && look_up(sid, name)) return rsm__narrow_text_in(arena, name);
  if (!ConvertSidToStringSidW((PSID)(uintptr_t)sid, &text)) return rsm__arena_strdup(arena, "an unknown account");
  return rsm__narrow_text_in(arena, name_from_profile(text, name) ? name : text);
}

/* Of a number alone only our own account is known. */
const char *rsm__user_name(uint32_t uid, rsm__arena *arena) {
  rsm__sid sid;
  char number[16];
  if (rsm__sid_current(&sid, NULL) == RSM_OK && rsm__sid_number(&sid) == uid) return rsm__sid_name(&sid, arena);
  snprintf(number, sizeof number, "%u", (unsigned)uid);
  return rsm__arena_strdup(arena, number);
}
