/* test_registration.c: a process registers itself, and nobody else. SPDX-License-Identifier: MIT */
#include "child.h"

#include <shellapi.h>

#include "base/cleanup.h"
#include "os/registration.h"
#include "os/windows/account.h"

/* Does this system keep registrations itself? Then what is about our own way of keeping them has nothing to look at. */
typedef HRESULT WINAPI get_settings(HANDLE process, PWSTR line, DWORD *size, DWORD *flags);

static bool system_keeps(void) {
  DWORD size = 0, flags = 0;
  get_settings *get =
      (get_settings *)(void *)GetProcAddress(GetModuleHandleW(L"kernel32.dll"), "GetApplicationRestartSettings");
  return get && get(GetCurrentProcess(), NULL, &size, &flags) != E_NOTIMPL;
}

static rsm_status get(DWORD pid, rsm__arena *arena, rsm__registration *ret) {
  rsm__process *process = child_open(pid);
  rsm_status status = rsm__registration_get(process, arena, ret, NULL);
  rsm__process_close(process);
  return status;
}

static rsm_status look_at(DWORD pid) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__registration found;
  return get(pid, &arena, &found);
}

static child start_child(const wchar_t *words) {
  wchar_t line[2048];
  const wchar_t *note = child_path(L"registered");
  DeleteFileW(note);
  swprintf(line, 2048, L"\"%ls\" child \"%ls\" %ls", child_program(), note, words);
  child started = child_start(line, CREATE_NO_WINDOW, NULL, NULL);
  CHECK(*child_read_note(note, 10000));
  DeleteFileW(note);
  return started;
}

/* ---- One's own ---- */

static void set_get_clear(void) {
  static const char *const args[] = {"--resume", "a b\"\xc3\xa9\\", ""};
  static const char *const fewer[] = {"-x"};
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__registration found;
  CHECK_INT(look_at(GetCurrentProcessId()), RSM_NOT_FOUND);
  CHECK_INT(rsm__registration_clear(NULL), RSM_NOT_FOUND);
  CHECK_INT(rsm__registration_set(args, 3, RSM_RESTART_NO_CRASH | RSM_RESTART_NO_PATCH, NULL), RSM_OK);
  CHECK_INT(get(GetCurrentProcessId(), &arena, &found), RSM_OK);
  CHECK_INT(found.arg_count, 3);
  CHECK_TEXT(found.args[0], "--resume");
  CHECK_TEXT(found.args[1], "a b\"\xc3\xa9\\");
  CHECK_TEXT(found.args[2], "");
  CHECK_INT(found.flags, 5);
  CHECK(strstr(found.exe, "test_registration"));
  CHECK_INT(rsm__registration_set(fewer, 1, 0, NULL), RSM_OK); /* the second one counts */
  CHECK_INT(get(GetCurrentProcessId(), &arena, &found), RSM_OK);
  CHECK_INT(found.arg_count, 1);
  CHECK_TEXT(found.args[0], "-x");
  CHECK_INT(found.flags, 0);
  CHECK_INT(rsm__registration_clear(NULL), RSM_OK);
  CHECK_INT(look_at(GetCurrentProcessId()), RSM_NOT_FOUND);
  CHECK_INT(rsm__registration_clear(NULL), RSM_NOT_FOUND);
  CHECK_INT(rsm__registration_set(fewer, 0, 0, NULL), RSM_OK); /* no arguments at all is a registration, too */
  CHECK_INT(get(GetCurrentProcessId(), &arena, &found), RSM_OK);
  CHECK_INT(found.arg_count, 0);
  CHECK_INT(rsm__registration_clear(NULL), RSM_OK);
}

static void keeps_the_limit(void) {
  static char longest[RSM_RESTART_MAX_LINE + 2];
  rsm_error error;
  const char *const args[] = {longest};
  memset(longest, 'x', RSM_RESTART_MAX_LINE - 1);
  CHECK_INT(rsm__registration_set(args, 1, 0, NULL), RSM_OK);
  CHECK_INT(rsm__registration_clear(NULL), RSM_OK);
  memset(longest, 'x', RSM_RESTART_MAX_LINE + 1);
  CHECK_INT(rsm__registration_set(args, 1, 0, &error), RSM_INVALID_PARAMETER);
  CHECK(strstr(error.detail, "1025"));
  longest[5] = ' '; /* quotes count */
  longest[RSM_RESTART_MAX_LINE - 1] = '\0';
  CHECK_INT(rsm__registration_set(args, 1, 0, &error), RSM_INVALID_PARAMETER);
  CHECK_INT(rsm__registration_set(NULL, 0, 0x10, &error), RSM_BAD_ARGUMENTS);
  CHECK_INT(look_at(GetCurrentProcessId()), RSM_NOT_FOUND);
}

/* ---- Another's ---- */

static void sees_another_and_its_end(void) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__registration found;
  child plain = start_child(L"plain"), own = start_child(L"present \"two words\"");
  CHECK_INT(look_at(plain.info.dwProcessId), RSM_NOT_FOUND);
  CHECK_INT(get(own.info.dwProcessId, &arena, &found), RSM_OK);
  CHECK_INT(found.arg_count, 4); /* its present arguments: child, the note, and these */
  CHECK_TEXT(found.args[2], "present");
  CHECK_TEXT(found.args[3], "two words");
  rsm__process *process = child_open(own.info.dwProcessId);
  child_end(&own);
  CHECK(rsm__registration_get(process, &arena, &found, NULL) != RSM_OK); /* it is gone with its process */
  rsm__process_close(process);
  child_end(&plain);
}

/* ---- Where we keep them ourselves ---- */

static void section_name(DWORD pid, wchar_t *name) {
  rsm__process *process = child_open(pid);
  swprintf(name, 128, L"Local\\restartmanager-registered-%lu-%llu", pid,
           (unsigned long long)rsm__process_id(process)->start_time);
  rsm__process_close(process);
}

static void dies_with_the_process(void) {
  wchar_t name[128];
  if (system_keeps()) return;
  child own = start_child(L"present");
  section_name(own.info.dwProcessId, name);
  HANDLE section = OpenFileMappingW(FILE_MAP_READ, FALSE, name);
  CHECK(section);
  CloseHandle(section);
  child_end(&own);
  CHECK(!OpenFileMappingW(FILE_MAP_READ, FALSE, name));
}

/* What stands in it is not believed: cut, changed, of another process, too short, or not there. */
static void believes_no_nonsense(void) {
  wchar_t name[128];
  if (system_keeps()) return;
  child own = start_child(L"present");
  section_name(own.info.dwProcessId, name);
  HANDLE section = OpenFileMappingW(FILE_MAP_READ | FILE_MAP_WRITE, FALSE, name);
  CHECK(section);
  unsigned char *view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
  CHECK(view);
  uint32_t length = *(uint32_t *)view;
  CHECK(length > 40);
  CHECK_INT(look_at(own.info.dwProcessId), RSM_OK);
  for (uint32_t at = 4; at < 4 + length; at += 7) {
    view[at] ^= 4;
    CHECK_INT(look_at(own.info.dwProcessId), RSM_NOT_FOUND);
    view[at] ^= 4;
  }
  static const uint32_t lengths[] = {0, 1, 4, 40, UINT32_MAX, 1 << 30, 128 << 10};
  for (size_t i = 0; i < RSM_COUNT(lengths); i++) {
    *(uint32_t *)view = lengths[i];
    CHECK_INT(look_at(own.info.dwProcessId), RSM_NOT_FOUND);
  }
  *(uint32_t *)view = length;
  CHECK_INT(look_at(own.info.dwProcessId), RSM_OK);
  /* Another process' content under this name, whole as it is. */
  child other = start_child(L"present");
  wchar_t other_name[128];
  section_name(other.info.dwProcessId, other_name);
  HANDLE second = OpenFileMappingW(FILE_MAP_READ, FALSE, other_name);
  const unsigned char *foreign = MapViewOfFile(second, FILE_MAP_READ, 0, 0, 0);
  CHECK(foreign);
  memcpy(view, foreign, 4 + *(const uint32_t *)foreign);
  CHECK_INT(look_at(own.info.dwProcessId), RSM_NOT_FOUND);
  UnmapViewOfFile(foreign);
  UnmapViewOfFile(view);
  CloseHandle(second);
  CloseHandle(section);
  child_end(&other);
  child_end(&own);
}

/* A section of that name with a content that is right in every way, made by us for somebody else. */
static HANDLE forge(DWORD pid, const wchar_t *name, SECURITY_ATTRIBUTES *attributes) {
  wchar_t own_name[128];
  CHECK_INT(rsm__registration_set(NULL, 0, 0, NULL), RSM_OK);
  section_name(GetCurrentProcessId(), own_name);
  HANDLE own = OpenFileMappingW(FILE_MAP_READ, FALSE, own_name);
  HANDLE forged = CreateFileMappingW(INVALID_HANDLE_VALUE, attributes, PAGE_READWRITE, 0, 128 << 10, name);
  if (!forged) return NULL;
  const unsigned char *from = MapViewOfFile(own, FILE_MAP_READ, 0, 0, 0);
  unsigned char *to = MapViewOfFile(forged, FILE_MAP_WRITE, 0, 0, 0);
  CHECK(from && to);
  uint32_t length = *(const uint32_t *)from;
  memcpy(to, from, 4 + length);
  rsm__process *process = child_open(pid);
  memcpy(to + 12, &rsm__process_id(process)->pid, 4);
  memcpy(to + 16, &rsm__process_id(process)->start_time, 8);
  rsm__process_close(process);
  uint32_t crc = rsm__crc32c(to + 4, length - 4);
  memcpy(to + length, &crc, 4);
  UnmapViewOfFile(from);
  UnmapViewOfFile(to);
  CloseHandle(own);
  CHECK_INT(rsm__registration_clear(NULL), RSM_OK);
  return forged;
}

static void believes_no_stranger(void) {
  wchar_t name[128];
  unsigned char everyone[SECURITY_MAX_SID_SIZE];
  DWORD size = sizeof everyone;
  SECURITY_DESCRIPTOR descriptor;
  SECURITY_ATTRIBUTES attributes = {sizeof attributes, &descriptor, FALSE};
  if (system_keeps()) return;
  child plain = start_child(L"plain");
  section_name(plain.info.dwProcessId, name);
  /* Too short a one. */
  HANDLE squat = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 64, name);
  CHECK(squat);
  CHECK_INT(look_at(plain.info.dwProcessId), RSM_NOT_FOUND);
  CloseHandle(squat);
  /* One of the same user counts: so what follows is about the owner alone. */
  CHECK(InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION));
  rsm__sid user;
  CHECK_INT(rsm__sid_current(&user, NULL), RSM_OK);
  CHECK(SetSecurityDescriptorOwner(&descriptor, &user.sid, FALSE));
  squat = forge(plain.info.dwProcessId, name, &attributes);
  CHECK(squat);
  CHECK_INT(look_at(plain.info.dwProcessId), RSM_OK);
  CloseHandle(squat);
  CHECK_INT(look_at(plain.info.dwProcessId), RSM_NOT_FOUND);
  CHECK(CreateWellKnownSid(WinWorldSid, NULL, everyone, &size));
  CHECK(SetSecurityDescriptorOwner(&descriptor, everyone, FALSE));
  squat = forge(plain.info.dwProcessId, name, &attributes);
  /* A system that does not let us give it away cannot be deceived so. */
  if (squat) CHECK_INT(look_at(plain.info.dwProcessId), RSM_NOT_FOUND);
  printf("  a section of everybody's: %s\n", squat ? "not believed" : "not to be had");
  if (squat) CloseHandle(squat);
  child_end(&plain);
}

/* Its file may be cut while it is mapped; then reading it faults. */
static void survives_a_file_behind_it(void) {
  wchar_t name[128];
  if (system_keeps()) return;
  child plain = start_child(L"plain");
  section_name(plain.info.dwProcessId, name);
  HANDLE squat = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE | SEC_RESERVE, 0, 128 << 10, name);
  CHECK(squat);
  CHECK_INT(look_at(plain.info.dwProcessId), RSM_NOT_FOUND); /* there is no memory behind its pages */
  CloseHandle(squat);
  child_end(&plain);
}

static void survives_want_of_memory(void) {
  static const char *const args[] = {"a", "b c"};
  long live = rsm__alloc_live();
  for (unsigned long n = 1;; n++) {
    rsm__alloc_fail_at(n, 0);
    rsm_status status = rsm__registration_set(args, 2, 0, NULL);
    rsm__alloc_fail_at(0, 0);
    CHECK_INT(rsm__alloc_live(), live);
    if (status == RSM_OK) break;
    CHECK_INT(status, RSM_OUT_OF_MEMORY);
    CHECK(n < 1000);
  }
  for (unsigned long n = 1;; n++) {
    RSM_CLEAN_ARENA rsm__arena arena = {0};
    rsm__registration found;
    rsm__process *self = child_open(GetCurrentProcessId());
    rsm__alloc_fail_at(n, 0);
    rsm_status status = rsm__registration_get(self, &arena, &found, NULL);
    rsm__alloc_fail_at(0, 0);
    rsm__process_close(self);
    if (status == RSM_OK) break;
    CHECK_INT(status, RSM_OUT_OF_MEMORY);
    CHECK(n < 1000);
  }
  for (unsigned long n = 1;; n++) {
    rsm__alloc_fail_at(n, 0);
    rsm_status status = rsm__registration_clear(NULL);
    rsm__alloc_fail_at(0, 0);
    CHECK_INT(rsm__alloc_live(), live);
    if (status == RSM_OK) break;
    CHECK_INT(status, RSM_OUT_OF_MEMORY);
    CHECK(n < 1000);
  }
}

static const check_test tests[] = {
    CHECK_TEST(set_get_clear),
    CHECK_TEST(keeps_the_limit),
    CHECK_TEST(sees_another_and_its_end),
    CHECK_TEST(dies_with_the_process),
    CHECK_TEST(believes_no_nonsense),
    CHECK_TEST(believes_no_stranger),
    CHECK_TEST(survives_a_file_behind_it),
    CHECK_TEST(survives_want_of_memory),
};

int main(int argc, char **argv) {
  int count = 0;
  wchar_t **words = CommandLineToArgvW(GetCommandLineW(), &count);
  if (argc > 3 && strcmp(argv[1], "child") == 0) {
    if (strcmp(argv[3], "present") == 0 && rsm__registration_set(NULL, 0, 0, NULL) != RSM_OK) return 4;
    child_note(words[2]);
    Sleep(CHILD_LIMIT_MS);
    return 0;
  }
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
