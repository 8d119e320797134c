/* files.c: see os/files.h and lookup.h. SPDX-License-Identifier: MIT
 *
 * call             | purpose                              | blocks on
 * GetFullPathNameW | absolute text, as Win32 understands  | nothing: text alone
 */
#include "os/files.h"

#include <string.h>
#include <windows.h>

#include "base/cleanup.h"
#include "os/clock.h"
#include "os/windows/lookup.h"
#include "os/windows/os_error.h"
#include "os/windows/wide.h"

enum { WORDS_LAST_MS = 1000 };

/* ---- Absolute text ---- */

static bool begins_with(const wchar_t *text, const wchar_t *start) {
  return wcsncmp(text, start, wcslen(start)) == 0;
}

static bool is_drive(const wchar_t *text) {
  return ((text[0] >= L'A' && text[0] <= L'Z') || (text[0] >= L'a' && text[0] <= L'z')) && text[1] == L':';
}

/* As Win32 reads it: relative to the present directory, or to a drive's; / is \, "." and ".." go, and so do blanks and
 * dots at the end of a name. NULL with *ret_code: refused; 0: out of memory. */
static wchar_t *read_as_win32(const wchar_t *path, DWORD *ret_code) {
  RSM_CLEAN_WIDE full = NULL;
  for (DWORD size = (DWORD)wcslen(path) + 2, needed = 0;; size = needed + 1) {
    rsm__free(full); /* it is relative, or the directory has changed since */
    full = rsm__calloc(size, sizeof *full);
    *ret_code = 0;
    if (!full) return NULL;
    needed = GetFullPathNameW(path, size, full, NULL);
    if (needed == 0) *ret_code = GetLastError();
    if (needed == 0) return NULL;
    if (needed < size) break;
  }
  wchar_t *taken = full;
  full = NULL;
  return taken;
}

/* What follows \\?\ is taken as it stands. Without that prefix it would be read: does it stay the same? Also where the
 * name of the share follows UNC\. *ret_plain: to be freed with rsm__free; NULL: it does not. False: out of memory. */
static bool without_prefix(const wchar_t *verbatim, wchar_t **ret_plain) {
  const wchar_t *rest = verbatim + 4;
  bool remote = _wcsnicmp(rest, L"UNC\\", 4) == 0;
  *ret_plain = NULL;
  if (!remote && !(is_drive(rest) && rest[2] == L'\\')) return true;
  size_t length = wcslen(rest) + 1;
  RSM_CLEAN_WIDE plain = rsm__calloc(length, sizeof *plain);
  if (!plain) return false;
  memcpy(plain, rest, length * sizeof *plain);
  if (remote) memmove(plain, plain + 2, (length - 2) * sizeof *plain);
  if (remote) plain[0] = L'\\';
  DWORD code;
  RSM_CLEAN_WIDE again = read_as_win32(plain, &code);
  if (!again) return code != 0;
  if (wcscmp(plain, again) != 0) return true;
  *ret_plain = plain;
  plain = NULL;
  return true;
}

const char *rsm__outward(rsm__arena *arena, const wchar_t *path) {
  RSM_CLEAN_WIDE plain = NULL;
  if (begins_with(path, L"\\\\?\\") && !without_prefix(path, &plain)) return NULL;
  return rsm__narrow_text_in(arena, plain ? plain : path);
}

rsm_status rsm__wide_verbatim(const char *path, wchar_t **ret_wide) {
  RSM_CLEAN_WIDE wide = NULL;
  rsm_status status = rsm__wide_new(path, &wide, NULL);
  if (status != RSM_OK) return status;
  const wchar_t *prefix = L"\\\\?\\", *rest = wide;
  if (begins_with(wide, L"\\\\?\\")) {
    prefix = L"";
  } else if (begins_with(wide, L"\\\\")) {
    prefix = L"\\\\?\\UNC\\";
    rest += 2;
  }
  size_t start = wcslen(prefix), length = wcslen(rest) + 1;
  wchar_t *made = rsm__malloc((start + length) * sizeof *made);
  if (!made) return RSM_OUT_OF_MEMORY;
  memcpy(made, prefix, start * sizeof *made);
  memcpy(made + start, rest, length * sizeof *made);
  *ret_wide = made;
  return RSM_OK;
}

/* "C:\dir\" is "C:\dir"; "C:\", "\\?\Volume{...}\" keep theirs: without it they are something else. */
static void drop_last_backslash(wchar_t *path) {
  size_t length = wcslen(path);
  if (length < 2 || path[length - 1] != L'\\' || path[length - 2] == L'\\') return;
  if (path[length - 2] != L':' && path[length - 2] != L'}') path[length - 1] = 0;
}

/* \\?\ in front, or \??\, the kernel's own spelling of the same. False: out of memory. */
static bool shorten_verbatim(wchar_t **path) {
  wchar_t *plain = NULL;
  if (begins_with(*path, L"\\??\\")) (*path)[1] = L'\\';
  drop_last_backslash(*path);
  if (!without_prefix(*path, &plain)) return false;
  if (!plain) return true;
  rsm__free(*path);
  *path = plain;
  return true;
}

bool rsm__files_same_name(const char *a, const char *b) {
  return rsm__narrow_same_name(a, b);
}

rsm_status rsm__files_absolute(const char *path, char **ret_path, rsm_error *reterr) {
  if (!path || path[0] == '\0') return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "the path is empty");
  RSM_CLEAN_WIDE wide = NULL;
  rsm_status status = rsm__wide_new(path, &wide, reterr);
  if (status != RSM_OK) return status;
  if (!begins_with(wide, L"\\\\?\\") && !begins_with(wide, L"\\??\\")) {
    DWORD code = 0;
    wchar_t *full = read_as_win32(wide, &code);
    if (!full && code != 0) return rsm__fail_windows(reterr, code, "GetFullPathNameW", path);
    if (!full) return rsm__fail_memory(reterr);
    rsm__free(wide);
    wide = full;
    if (begins_with(wide, L"\\\\.\\") && is_drive(wide + 4)) wide[2] = L'?'; /* was read already */
  }
  drop_last_backslash(wide);
  if ((begins_with(wide, L"\\\\?\\") || begins_with(wide, L"\\??\\")) && !shorten_verbatim(&wide))
    return rsm__fail_memory(reterr);
  char *text = rsm__narrow_new(wide, wcslen(wide));
  if (!text) return rsm__fail_memory(reterr);
  *ret_path = text;
  return RSM_OK;
}

static size_t through_names(const char *path, size_t at, int names) {
  for (; names > 0; names--) {
    while (path[at] == '\\') at++;
    at += strcspn(path + at, "\\");
  }
  return at;
}

size_t rsm__root_length(const char *path) {
  bool verbatim = strncmp(path, "\\\\?\\", 4) == 0 || strncmp(path, "\\\\.\\", 4) == 0;
  size_t at = verbatim ? 4 : 0;
  if (verbatim && _strnicmp(path + at, "UNC\\", 4) == 0) return through_names(path, at + 4, 2);
  if (!verbatim && strncmp(path, "\\\\", 2) == 0) return through_names(path, 0, 2);
  return through_names(path, at, 1);
}

bool rsm__is_file_path(const char *path) {
  if (strncmp(path, "\\\\.\\", 4) == 0) return false;
  if (strncmp(path, "\\\\?\\", 4) == 0) {
    const char *rest = path + 4;
    bool drive = rest[0] && rest[1] == ':';
    return drive || _strnicmp(rest, "UNC\\", 4) == 0 || _strnicmp(rest, "Volume{", 7) == 0 ||
           _strnicmp(rest, "unix\\", 5) == 0; /* Wine's files without a drive */
  }
  if (strncmp(path, "\\\\", 2) != 0) return true;
  const char *share = strchr(path + 2, '\\');
  return !share || (_strnicmp(share, "\\pipe\\", 6) != 0 && _strnicmp(share, "\\mailslot\\", 10) != 0);
}

/* ---- Drives, shares and handles that did not answer ---- */

rsm_status rsm__mount_point(const char *path, char **ret_point, rsm_error *reterr) {
  char *root = rsm__strdup(path);
  if (!root) return rsm__fail_memory(reterr);
  root[rsm__root_length(root)] = '\0';
  *ret_point = root;
  return RSM_OK;
}

bool rsm__mount_covers(const char *point, const char *path) {
  size_t length = rsm__root_length(path);
  return strlen(point) == length && _strnicmp(point, path, length) == 0;
}

uint32_t rsm__lookup_limit(const rsm__lookup *lookup) {
  return lookup->limit_ms;
}

bool rsm__lookup_is_stalled(const rsm__lookup *lookup, const rsm_process *process, uint64_t handle) {
  for (size_t i = 0; i < lookup->stall_count; i++)
    if (lookup->stalls[i].at == handle && rsm_process_equal(&lookup->stalls[i].process, process)) return true;
  return false;
}

const char *rsm__place_real(const rsm__place *places, size_t i) {
  return places[i].real;
}

/* ---- The program that was asked last ---- */

/* In one block with both texts. */
typedef struct known_words {
  uint64_t kept_at;
  const char *words; /* NULL: it says nothing */
  wchar_t program[];
} known_words;

bool rsm__lookup_recall(const rsm__lookup *lookup, const wchar_t *program, const char **ret_words) {
  const known_words *known = lookup->more;
  if (!known || wcscmp(known->program, program) != 0) return false;
  if (rsm__clock_ms() - known->kept_at > WORDS_LAST_MS) return false;
  *ret_words = known->words;
  return true;
}

void rsm__lookup_keep(rsm__lookup *lookup, const wchar_t *program, const char *words) {
  size_t program_size = (wcslen(program) + 1) * sizeof *program, words_size = words ? strlen(words) + 1 : 0;
  known_words *known = rsm__malloc(sizeof *known + program_size + words_size);
  rsm__free(lookup->more);
  lookup->more = known;
  if (!known) return;
  char *copy = (char *)known + sizeof *known + program_size;
  memcpy(known->program, program, program_size);
  if (words) memcpy(copy, words, words_size);
  known->words = words ? copy : NULL;
  known->kept_at = rsm__clock_ms();
}
