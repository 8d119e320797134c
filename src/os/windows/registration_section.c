/* registration_section.c: a named section (shared memory) for each process that registers, named by pid and start time.
 *
 * The process keeps the handle that it was made with, for as long as it lives: so the name and the content are gone
 * with it, however it ends. Its owner is set to the process' user, which nobody else can do, and only his sections
 * count. Whoever runs as that user may write into it: but he might as well write into the process. What is read is
 * untrusted: it is copied before it is looked at, by a call that fails where a plain read would end us.
 * SPDX-License-Identifier: MIT */
#include "os/windows/registration_section.h"

#include <aclapi.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "os/windows/account.h"
#include "os/windows/handle.h"
#include "os/windows/os_error.h"
#include "os/windows/process_handle.h"
#include "os/windows/wide.h"

/* SECTION_SIZE: a program's path and the longest line, in the most bytes that UTF-8 takes. */
enum { SECTION_SIZE = 128 << 10, NAME_UNITS = 80, LOOKS = 5, LOOK_APART_MS = 2 };

static const uint32_t MAGIC = 0x47455252; /* "RREG" */
static const uint32_t VERSION = 1;
static const uint32_t KNOWN_FLAGS =
    RSM_RESTART_NO_CRASH | RSM_RESTART_NO_HANG | RSM_RESTART_NO_PATCH | RSM_RESTART_NO_REBOOT;

static const wchar_t *section_name(const rsm_process *process, wchar_t name[NAME_UNITS]) {
  swprintf(name, NAME_UNITS, L"Local\\restartmanager-registered-%u-%llu", (unsigned)process->pid,
           (unsigned long long)process->start_time);
  return name;
}

static rsm_status fail_none(const rsm_process *id, rsm_error *reterr) {
  return rsm__fail(reterr, RSM_NOT_FOUND, NULL, "process %u has not registered for restart", (unsigned)id->pid);
}

/* ---- The content: a length, and so many bytes ---- */

static void encode(const rsm_process *process, const rsm__registration *wish, rsm__buffer *to) {
  rsm__buffer_put_u32(to, MAGIC);
  rsm__buffer_put_u32(to, VERSION);
  rsm__buffer_put_u32(to, process->pid);
  rsm__buffer_put_u64(to, process->start_time);
  rsm__buffer_put_text(to, wish->exe);
  rsm__buffer_put_u32(to, wish->flags);
  rsm__buffer_put_texts(to, wish->args, wish->arg_count);
  if (!to->failed) rsm__buffer_put_u32(to, rsm__crc32c(to->data, to->length));
}

static bool decode(const unsigned char *data, size_t length, rsm__arena *arena, rsm_process *ret_process,
                   rsm__registration *ret_wish, bool *ret_out_of_memory) {
  if (length < 4) return false;
  rsm__cursor from = {.data = data, .length = length - 4};
  rsm__cursor end = {.data = data + from.length, .length = 4};
  if (rsm__cursor_u32(&end) != rsm__crc32c(data, from.length)) return false;
  if (rsm__cursor_u32(&from) != MAGIC || rsm__cursor_u32(&from) != VERSION) return false;
  ret_process->pid = rsm__cursor_u32(&from);
  ret_process->start_time = rsm__cursor_u64(&from);
  ret_wish->exe = rsm__cursor_text(&from, arena);
  ret_wish->flags = rsm__cursor_u32(&from);
  ret_wish->args = rsm__cursor_texts(&from, arena, &ret_wish->arg_count);
  *ret_out_of_memory = from.out_of_memory;
  if (from.failed || from.position != from.length || !ret_wish->exe || !ret_wish->args) return false;
  for (size_t i = 0; i < ret_wish->arg_count; i++)
    if (!ret_wish->args[i]) return false;
  return !(ret_wish->flags & ~KNOWN_FLAGS);
}

/* ---- Whose it is ---- */

static rsm_status check_owner(HANDLE section, const rsm__sid *user, rsm_error *reterr) {
  RSM_CLEAN_LOCAL PSECURITY_DESCRIPTOR descriptor = NULL;
  PSID owner = NULL;
  rsm__sid copy;
  DWORD code =
      GetSecurityInfo(section, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL, NULL, &descriptor);
  if (code) return rsm__fail_windows(reterr, code, "GetSecurityInfo", NULL);
  if (owner && rsm__sid_copy(&copy, owner) && rsm__sid_equal(&copy, user)) return RSM_OK;
  return rsm__fail(reterr, RSM_ACCESS_DENIED, NULL, "somebody else has made a section of that name");
}

static rsm_status user_of(const rsm__process *process, rsm__sid *ret_user, rsm_error *reterr) {
  RSM_CLEAN_HANDLE HANDLE token = NULL;
  if (!OpenProcessToken(rsm__process_handle(process), TOKEN_QUERY, &token))
    return rsm__fail_windows(reterr, GetLastError(), "OpenProcessToken", NULL);
  return rsm__sid_of_token(token, ret_user, reterr);
}

/* ---- Our own ---- */

/* Everything a security descriptor is made of, in one place that outlives the call. */
typedef struct access {
  rsm__sid user, system, administrators;
  PACL list;
  SECURITY_DESCRIPTOR descriptor;
  SECURITY_ATTRIBUTES attributes;
} access;

static void access_done(access *who) {
  if (who->list) LocalFree(who->list);
}

static EXPLICIT_ACCESSW allow(rsm__sid *sid, DWORD rights) {
  EXPLICIT_ACCESSW entry = {.grfAccessPermissions = rights, .grfAccessMode = SET_ACCESS};
  entry.Trustee.TrusteeForm = TRUSTEE_IS_SID;
  entry.Trustee.ptstrName = (wchar_t *)&sid->sid;
  return entry;
}

/* The user alone may write; the system and the administrators may read. */
static rsm_status make_access(access *who, rsm_error *reterr) {
  if (!rsm__sid_well_known(WinLocalSystemSid, &who->system) ||
      !rsm__sid_well_known(WinBuiltinAdministratorsSid, &who->administrators))
    return rsm__fail_memory(reterr);
  const DWORD reading = SECTION_MAP_READ | SECTION_QUERY | READ_CONTROL;
  EXPLICIT_ACCESSW entries[] = {allow(&who->user, SECTION_ALL_ACCESS), allow(&who->system, reading),
                                allow(&who->administrators, reading)};
  DWORD code = SetEntriesInAclW(RSM_COUNT(entries), entries, NULL, &who->list);
  if (code) return rsm__fail_windows(reterr, code, "SetEntriesInAclW", NULL);
  if (!InitializeSecurityDescriptor(&who->descriptor, SECURITY_DESCRIPTOR_REVISION) ||
      !SetSecurityDescriptorOwner(&who->descriptor, &who->user.sid, FALSE) ||
      !SetSecurityDescriptorDacl(&who->descriptor, TRUE, who->list, FALSE))
    return rsm__fail_windows(reterr, GetLastError(), "SetSecurityDescriptorOwner", NULL);
  who->attributes = (SECURITY_ATTRIBUTES){sizeof who->attributes, &who->descriptor, FALSE};
  return RSM_OK;
}

static void unmap(void **view) {
  if (*view) UnmapViewOfFile(*view);
}

/* The one that we have made already, or a new one. Its handle is never closed: that is what keeps it. */
static rsm_status own_section(const rsm__process *self, HANDLE *ret_section, bool *ret_made, rsm_error *reterr) {
  wchar_t name[NAME_UNITS];
  RSM_CLEAN(access_done) access who = {0};
  rsm_status status = rsm__sid_current(&who.user, reterr);
  if (status == RSM_OK) status = make_access(&who, reterr);
  if (status != RSM_OK) return status;
  section_name(rsm__process_id(self), name);
  RSM_CLEAN_HANDLE HANDLE section =
      CreateFileMappingW(INVALID_HANDLE_VALUE, &who.attributes, PAGE_READWRITE, 0, SECTION_SIZE, name);
  DWORD code = GetLastError();
  if (!section) return rsm__fail_windows(reterr, code, "CreateFileMappingW", NULL);
  *ret_made = code != ERROR_ALREADY_EXISTS;
  if (!*ret_made) status = check_owner(section, &who.user, reterr);
  if (status == RSM_OK) *ret_section = rsm__handle_take(&section);
  return status;
}

/* A reader who comes in between finds a content that is not whole, and looks again. */
static rsm_status write_content(HANDLE section, const rsm__buffer *content, rsm_error *reterr) {
  RSM_CLEAN(unmap) void *view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, SECTION_SIZE);
  if (!view) return rsm__fail_windows(reterr, GetLastError(), "MapViewOfFile", NULL);
  volatile uint32_t *length = view;
  *length = 0;
  MemoryBarrier();
  if (content->length) memcpy((unsigned char *)view + sizeof *length, content->data, content->length);
  MemoryBarrier();
  *length = (uint32_t)content->length;
  return RSM_OK;
}

rsm_status rsm__registration_section_set(const rsm__process *self, const rsm__registration *wish, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  HANDLE section = NULL;
  bool made = false;
  encode(rsm__process_id(self), wish, &content);
  if (content.failed) return rsm__fail_memory(reterr);
  if (content.length > SECTION_SIZE - sizeof(uint32_t))
    return rsm__fail(reterr, RSM_INVALID_PARAMETER, NULL, "the arguments are too long to be kept");
  rsm_status status = own_section(self, &section, &made, reterr);
  if (status != RSM_OK) return status;
  status = write_content(section, &content, reterr);
  if (!made || status != RSM_OK) CloseHandle(section); /* an earlier one keeps it */
  return status;
}

/* ---- Anybody's ---- */

/* RSM_NOT_FOUND: there is none, or none that may be trusted. */
static rsm_status open_section(const rsm__process *process, DWORD rights, HANDLE *ret_section, rsm_error *reterr) {
  wchar_t name[NAME_UNITS];
  rsm__sid user;
  const rsm_process *id = rsm__process_id(process);
  RSM_CLEAN_HANDLE HANDLE section = OpenFileMappingW(rights | READ_CONTROL, FALSE, section_name(id, name));
  DWORD code = GetLastError();
  if (!section && rsm__is_shortage(rsm__windows_status(code)))
    return rsm__fail_windows(reterr, code, "OpenFileMappingW", NULL);
  if (!section) return fail_none(id, reterr);
  rsm_status status = user_of(process, &user, reterr);
  if (status == RSM_OK) status = check_owner(section, &user, reterr);
  if (status == RSM_OK) *ret_section = rsm__handle_take(&section);
  return status == RSM_OK || rsm__is_shortage(status) ? status : fail_none(id, reterr);
}

/* A plain read may fault: a section can stand for a file that is not there any more. */
static bool copy_view(const void *view, size_t offset, void *to, size_t length) {
  SIZE_T done = 0;
  return ReadProcessMemory(GetCurrentProcess(), (const unsigned char *)view + offset, to, length, &done) &&
         done == length;
}

static rsm_status read_content(HANDLE section, rsm__buffer *content, rsm_error *reterr) {
  uint32_t length = 0;
  RSM_CLEAN(unmap) void *view = MapViewOfFile(section, FILE_MAP_READ, 0, 0, SECTION_SIZE);
  if (!view) return RSM_OK; /* a shorter one is not ours */
  if (!copy_view(view, 0, &length, sizeof length) || length > SECTION_SIZE - sizeof length) return RSM_OK;
  RSM_CLEAN_FREE unsigned char *bytes = rsm__malloc(length);
  if (!bytes) return rsm__fail_memory(reterr);
  if (!copy_view(view, sizeof length, bytes, length)) return RSM_OK;
  rsm__buffer_put(content, bytes, length);
  return content->failed ? rsm__fail_memory(reterr) : RSM_OK;
}

/* RSM_NOT_FOUND: empty, or it does not become whole. */
static rsm_status read_registration(const rsm__process *process, HANDLE section, rsm__arena *arena,
                                    rsm__registration *ret_registration, rsm_error *reterr) {
  const rsm_process *id = rsm__process_id(process);
  for (int look = 0; look < LOOKS; look++) {
    RSM_CLEAN_BUFFER rsm__buffer content = {0};
    rsm_process named = {0};
    rsm__registration wish = {0};
    bool out_of_memory = false;
    if (look > 0) Sleep(LOOK_APART_MS);
    rsm_status status = read_content(section, &content, reterr);
    if (status != RSM_OK) return status;
    bool whole = decode(content.data, content.length, arena, &named, &wish, &out_of_memory);
    if (out_of_memory) return rsm__fail_memory(reterr);
    if (!whole) continue;
    if (named.pid != id->pid || named.start_time != id->start_time) break;
    *ret_registration = wish;
    return RSM_OK;
  }
  return fail_none(id, reterr);
}

/* Windows' names are one whatever their case. */
static rsm_status check_program(const char *registered, const char *exe, const rsm_process *id, rsm_error *reterr) {
  RSM_CLEAN_WIDE theirs = NULL;
  RSM_CLEAN_WIDE now = NULL;
  rsm_status status = rsm__wide_new(registered, &theirs, reterr);
  if (status == RSM_OK) status = rsm__wide_new(exe, &now, reterr);
  if (status == RSM_OK && rsm__wide_same_name(theirs, now)) return RSM_OK;
  return status == RSM_OUT_OF_MEMORY ? status : fail_none(id, reterr);
}

rsm_status rsm__registration_section_get(const rsm__process *process, const char *exe, rsm__arena *arena,
                                         rsm__registration *ret_registration, rsm_error *reterr) {
  RSM_CLEAN_HANDLE HANDLE section = NULL;
  rsm__registration wish = {0};
  rsm_status status = open_section(process, FILE_MAP_READ, &section, reterr);
  if (status == RSM_OK) status = read_registration(process, section, arena, &wish, reterr);
  if (status == RSM_OK) status = check_program(wish.exe, exe, rsm__process_id(process), reterr);
  if (status == RSM_OK) *ret_registration = wish;
  return status;
}

rsm_status rsm__registration_section_clear(const rsm__process *self, rsm_error *reterr) {
  RSM_CLEAN_HANDLE HANDLE section = NULL;
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__registration wish;
  rsm_status status = open_section(self, FILE_MAP_READ | FILE_MAP_WRITE, &section, reterr);
  if (status == RSM_OK) status = read_registration(self, section, &arena, &wish, reterr);
  return status == RSM_OK ? write_content(section, &(rsm__buffer){0}, reterr) : status;
}
