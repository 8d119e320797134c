/* private_nt.c: opening, renaming and removing below a folder that is open already, which Win32 has no calls for; and
 * looking at what was opened. Local file systems only: nothing here blocks for long.
 * SPDX-License-Identifier: MIT */
#include <aclapi.h>
#include <sddl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <winternl.h>

#include "os/windows/file_id.h"
#include "os/windows/handle.h"
#include "os/windows/os_error.h"
#include "os/windows/private.h"
#include "os/windows/wide.h"

enum {
  RENAME_INFORMATION = 10,
  DISPOSITION_INFORMATION = 13,
  DISPOSITION_INFORMATION_EX = 64, /* these two since Windows 10: the name is free at once, whoever has the file open */
  RENAME_INFORMATION_EX = 65,
  MOST_NAME = 255
};
enum { RENAME_REPLACE = 1, RENAME_POSIX = 2, DELETE_IT = 1, DELETE_POSIX = 2, DELETE_READ_ONLY = 16 };
enum { STATUS_INVALID_CLASS = (int)0xC0000003u, STATUS_LACKING = (int)0xC0000002u };
enum {
  STATUS_WRONG_PARAMETER = (int)0xC000000Du,
  STATUS_UNSUPPORTED = (int)0xC00000BBu,
  STATUS_SHARED = (int)0xC0000043u,
  STATUS_DENIED = (int)0xC0000022u,
  STATUS_DELETING = (int)0xC0000056u
};

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

/* What an elevated program writes is labelled so: the user's other programs may read it and not write to it. */
static const wchar_t HIGH_LABEL[] = L"S:(ML;OICI;NW;;;HI)";

/* This user, the system, administrators; nothing is inherited from above, and all below inherits this. */
static PSECURITY_DESCRIPTOR private_descriptor(void) {
  rsm__sid user;
  wchar_t words[256];
  RSM_CLEAN_LOCAL wchar_t *sid = NULL;
  PSECURITY_DESCRIPTOR descriptor = NULL;
  if (rsm__sid_current(&user, NULL) != RSM_OK || !ConvertSidToStringSidW(&user, &sid)) return NULL;
  _snwprintf(words, RSM_COUNT(words), L"O:%lsD:P(A;OICI;FA;;;%ls)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)%ls", sid, sid,
             rsm__private_elevated() ? HIGH_LABEL : L"");
  words[RSM_COUNT(words) - 1] = 0;
  if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(words, SDDL_REVISION_1, &descriptor, NULL)) return NULL;
  return descriptor;
}

int32_t rsm__private_open_at(HANDLE folder, const wchar_t *name, const rsm__private_open *how, HANDLE *ret_handle,
                             bool *ret_created) {
  UNICODE_STRING text = {.Length = (USHORT)(wcslen(name) * sizeof *name), .Buffer = (wchar_t *)(uintptr_t)name};
  text.MaximumLength = text.Length;
  OBJECT_ATTRIBUTES attributes = {
      .Length = sizeof attributes, .RootDirectory = folder, .ObjectName = &text, .Attributes = OBJ_CASE_INSENSITIVE};
  RSM_CLEAN_LOCAL PSECURITY_DESCRIPTOR descriptor = NULL;
  if (how->disposition != FILE_OPEN) attributes.SecurityDescriptor = descriptor = private_descriptor();
  ULONG share = how->exclusive ? 0 : FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
  IO_STATUS_BLOCK done = {0};
  HANDLE handle = NULL;
  NTSTATUS code =
      NtCreateFile(&handle, how->access | SYNCHRONIZE, &attributes, &done, NULL, FILE_ATTRIBUTE_NORMAL, share,
                   how->disposition, how->options | FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_REPARSE_POINT, NULL, 0);
  if (code < 0) return code;
  *ret_handle = handle;
  if (ret_created) *ret_created = done.Information == FILE_CREATED;
  return 0;
}

/* ---- Renaming and removing --------------------------------------------------------------------------------------- */

static bool is_unknown(NTSTATUS code) {
  return code == STATUS_INVALID_CLASS || code == STATUS_LACKING || code == STATUS_WRONG_PARAMETER ||
         code == STATUS_UNSUPPORTED;
}

bool rsm__private_is_passing(int32_t code) {
  return code == STATUS_SHARED || code == STATUS_DENIED || code == STATUS_DELETING;
}

typedef struct rename_request {
  ULONG flags; /* of the older call its first byte: replace or not */
  HANDLE folder;
  ULONG length;
  wchar_t name[MOST_NAME];
} rename_request;

int32_t rsm__private_rename_at(HANDLE handle, HANDLE folder, const wchar_t *name, bool replace) {
  size_t length = wcslen(name);
  rename_request request = {.folder = folder, .length = (ULONG)(length * sizeof *name)};
  IO_STATUS_BLOCK done;
  if (length > MOST_NAME) return STATUS_WRONG_PARAMETER;
  wmemcpy(request.name, name, length);
  ULONG size = (ULONG)(offsetof(rename_request, name) + request.length);
  if (size < sizeof(FILE_RENAME_INFORMATION)) size = sizeof(FILE_RENAME_INFORMATION);
  request.flags = (replace ? RENAME_REPLACE : 0) | RENAME_POSIX;
  NTSTATUS code = NtSetInformationFile(handle, &done, &request, size, (FILE_INFORMATION_CLASS)RENAME_INFORMATION_EX);
  if (!is_unknown(code)) return code;
  request.flags = replace;
  return NtSetInformationFile(handle, &done, &request, size, (FILE_INFORMATION_CLASS)RENAME_INFORMATION);
}

int32_t rsm__private_delete(HANDLE handle) {
  IO_STATUS_BLOCK done;
  ULONG flags = DELETE_IT | DELETE_POSIX | DELETE_READ_ONLY;
  BOOLEAN plain = TRUE;
  NTSTATUS code =
      NtSetInformationFile(handle, &done, &flags, sizeof flags, (FILE_INFORMATION_CLASS)DISPOSITION_INFORMATION_EX);
  if (!is_unknown(code)) return code;
  return NtSetInformationFile(handle, &done, &plain, sizeof plain, (FILE_INFORMATION_CLASS)DISPOSITION_INFORMATION);
}

/* ---- Looking at it ----------------------------------------------------------------------------------------------- */

static bool is_trusted(PSID sid, const rsm__sid *owner) {
  return EqualSid(sid, (PSID)(uintptr_t)owner) || IsWellKnownSid(sid, WinLocalSystemSid) ||
         IsWellKnownSid(sid, WinBuiltinAdministratorsSid) || IsWellKnownSid(sid, WinCreatorOwnerSid) ||
         IsWellKnownSid(sid, WinCreatorOwnerRightsSid);
}

/* Whoever else is granted anything, in words; NULL: nobody. */
static const char *find_stranger(PACL list, const rsm__sid *owner, char *text, size_t size) {
  if (!list) return "everybody (it has no list of who may)";
  for (WORD i = 0; i < list->AceCount; i++) {
    ACCESS_ALLOWED_ACE *entry = NULL;
    if (!GetAce(list, i, (void **)&entry)) return "unknown accounts";
    if (entry->Header.AceType != ACCESS_ALLOWED_ACE_TYPE) continue; /* what denies does no harm */
    if (entry->Mask == 0 || is_trusted(&entry->SidStart, owner)) continue;
    RSM_CLEAN_LOCAL wchar_t *sid = NULL;
    if (!ConvertSidToStringSidW(&entry->SidStart, &sid)) return "unknown accounts";
    return rsm__narrow_to(text, size, sid, wcslen(sid));
  }
  return NULL;
}

/* Of what has no label anybody of medium integrity may write to it. */
static DWORD label_of(PACL labels) {
  SYSTEM_MANDATORY_LABEL_ACE *entry = NULL;
  if (!labels || labels->AceCount == 0 || !GetAce(labels, 0, (void **)&entry) ||
      entry->Header.AceType != SYSTEM_MANDATORY_LABEL_ACE_TYPE || !(entry->Mask & SYSTEM_MANDATORY_LABEL_NO_WRITE_UP))
    return SECURITY_MANDATORY_MEDIUM_RID;
  PSID level = &entry->SidStart;
  UCHAR count = *GetSidSubAuthorityCount(level);
  return count ? *GetSidSubAuthority(level, (DWORD)count - 1) : SECURITY_MANDATORY_MEDIUM_RID;
}

static rsm_status check_label(HANDLE handle, const char *text, rsm_error *reterr) {
  RSM_CLEAN_LOCAL PSECURITY_DESCRIPTOR descriptor = NULL;
  PACL labels = NULL;
  DWORD code =
      GetSecurityInfo(handle, SE_FILE_OBJECT, LABEL_SECURITY_INFORMATION, NULL, NULL, NULL, &labels, &descriptor);
  if (code != ERROR_SUCCESS) return rsm__fail_windows(reterr, code, "GetSecurityInfo", text);
  if (label_of(labels) >= SECURITY_MANDATORY_HIGH_RID) return RSM_OK;
  return rsm__fail(reterr, RSM_ACCESS_DENIED, text,
                   "can be written by programs that do not run elevated, as we do: remove it");
}

/* An administrator's files may be owned by all of them, if he says so in the system's policy: they may do all anyway.
 */
static rsm_status check_owner(HANDLE handle, const rsm__sid *owner, bool folder, const char *text, rsm_error *reterr) {
  RSM_CLEAN_LOCAL PSECURITY_DESCRIPTOR descriptor = NULL;
  PSID found = NULL;
  PACL list = NULL;
  char stranger[200];
  DWORD code = GetSecurityInfo(handle, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &found,
                               NULL, &list, NULL, &descriptor);
  if (code != ERROR_SUCCESS) return rsm__fail_windows(reterr, code, "GetSecurityInfo", text);
  if (!found || !is_trusted(found, owner))
    return rsm__fail(reterr, RSM_ACCESS_DENIED, text, "belongs to another user, must belong to us");
  const char *who = folder ? find_stranger(list, owner, stranger, sizeof stranger) : NULL;
  if (who) return rsm__fail(reterr, RSM_ACCESS_DENIED, text, "can be read or written by others: %s", who);
  return rsm__private_elevated() ? check_label(handle, text, reterr) : RSM_OK;
}

rsm_status rsm__private_check(HANDLE handle, const rsm__sid *owner, bool folder, const char *text, rsm_error *reterr) {
  rsm__file_state state;
  uint32_t tag = 0;
  if (!rsm__file_state_of(handle, &state))
    return rsm__fail_windows(reterr, GetLastError(), "GetFileInformationByHandleEx", text);
  if (rsm__file_attributes(handle, &tag) & FILE_ATTRIBUTE_REPARSE_POINT)
    return rsm__fail(reterr, RSM_ACCESS_DENIED, text, "is a link or a mount point");
  if (state.directory != folder)
    return rsm__fail(reterr, RSM_ACCESS_DENIED, text, folder ? "is not a folder" : "is not a plain file");
  return check_owner(handle, owner, folder, text, reterr);
}
