/* files.c: see os/files.h and lookup.h. SPDX-License-Identifier: MIT
 *
 * call              | purpose                              | blocks on
 * GetFullPathNameW  | absolute text, as Win32 understands  | nothing: text alone
 * rsm__bounded_run  | everything that touches a volume     | the lookup's limit, once a drive or share */
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

typedef struct dead_root {
  char *root;
  rsm__bounded *job; /* the thread that hangs there: while it does, nobody else is sent */
} dead_root;

typedef struct stalled {
  rsm__stall at;
  rsm__bounded *job;
} stalled;

struct rsm__lookup {
  uint32_t limit_ms;
  wchar_t *program; /* that was asked last, at that time; NULL: none */
  char *words;
  uint64_t kept_at;
  dead_root *dead;
  size_t count;
  size_t capacity;
  stalled *stalls;
  size_t stall_count;
  size_t stall_capacity;
};

rsm_status rsm__lookup_new(uint32_t limit_ms, rsm__lookup **ret_lookup, rsm_error *reterr) {
  rsm__lookup *lookup = rsm__calloc(1, sizeof *lookup);
  if (!lookup) return rsm__fail_memory(reterr);
  lookup->limit_ms = limit_ms > 0 ? limit_ms : 1;
  *ret_lookup = lookup;
  return RSM_OK;
}

uint32_t rsm__lookup_limit(const rsm__lookup *lookup) {
  return lookup->limit_ms;
}

static void forget_root(rsm__lookup *lookup, size_t i) {
  rsm__free(lookup->dead[i].root);
  rsm__bounded_unref(lookup->dead[i].job);
  lookup->dead[i] = lookup->dead[--lookup->count];
}

static void forget_stall(rsm__lookup *lookup, size_t i) {
  rsm__bounded_unref(lookup->stalls[i].job);
  lookup->stalls[i] = lookup->stalls[--lookup->stall_count];
}

bool rsm__lookup_recall(const rsm__lookup *lookup, const wchar_t *program, const char **ret_words) {
  if (!lookup->program || wcscmp(lookup->program, program) != 0) return false;
  if (rsm__clock_ms() - lookup->kept_at > WORDS_LAST_MS) return false;
  *ret_words = lookup->words;
  return true;
}

static void forget_words(rsm__lookup *lookup) {
  rsm__free(lookup->program);
  rsm__free(lookup->words);
  lookup->program = NULL;
  lookup->words = NULL;
}

/* Without memory nothing is kept. */
void rsm__lookup_keep(rsm__lookup *lookup, const wchar_t *program, const char *words) {
  size_t size = (wcslen(program) + 1) * sizeof *program;
  forget_words(lookup);
  char *copy = words ? rsm__strdup(words) : NULL;
  wchar_t *name = !words || copy ? rsm__malloc(size) : NULL;
  lookup->words = copy;
  if (name) lookup->program = memcpy(name, program, size);
  lookup->kept_at = rsm__clock_ms();
}

rsm__lookup *rsm__lookup_free(rsm__lookup *lookup) {
  if (!lookup) return NULL;
  forget_words(lookup);
  while (lookup->count > 0) forget_root(lookup, lookup->count - 1);
  while (lookup->stall_count > 0) forget_stall(lookup, lookup->stall_count - 1);
  rsm__free(lookup->dead);
  rsm__free(lookup->stalls);
  rsm__free(lookup);
  return NULL;
}

void rsm__lookup_refresh(rsm__lookup *lookup) {
  for (size_t i = lookup->count; i-- > 0;)
    if (rsm__bounded_returned(lookup->dead[i].job)) forget_root(lookup, i);
  for (size_t i = lookup->stall_count; i-- > 0;)
    if (rsm__bounded_returned(lookup->stalls[i].job)) forget_stall(lookup, i);
}

/* Takes the job over. */
static rsm_status remember_root(rsm__lookup *lookup, rsm__bounded *job, rsm_error *reterr) {
  char *root = rsm__strdup(rsm__bounded_stuck_at(job));
  if (!root || rsm__grow(&lookup->dead, &lookup->capacity, lookup->count + 1, sizeof *lookup->dead) < 0) {
    rsm__free(root);
    rsm__bounded_unref(job);
    return rsm__fail_memory(reterr);
  }
  root[rsm__root_length(root)] = '\0';
  lookup->dead[lookup->count++] = (dead_root){.root = root, .job = job};
  return RSM_OK;
}

rsm_status rsm__lookup_remember(rsm__lookup *lookup, const rsm__stall *stall, rsm__bounded *stuck, rsm_error *reterr) {
  if (rsm__grow(&lookup->stalls, &lookup->stall_capacity, lookup->stall_count + 1, sizeof *lookup->stalls) < 0) {
    rsm__bounded_unref(stuck);
    return rsm__fail_memory(reterr);
  }
  lookup->stalls[lookup->stall_count++] = (stalled){.at = *stall, .job = stuck};
  return RSM_OK;
}

bool rsm__lookup_is_stalled(const rsm__lookup *lookup, const rsm__stall *stall) {
  for (size_t i = 0; i < lookup->stall_count; i++)
    if (lookup->stalls[i].at.handle == stall->handle &&
        rsm_process_equal(&lookup->stalls[i].at.process, &stall->process))
      return true;
  return false;
}

rsm_status rsm__lookup_dead(rsm__lookup *lookup, rsm__arena *arena, rsm__dead_roots *ret_dead, rsm_error *reterr) {
  rsm__dead_roots dead = {.roots = rsm__arena_alloc(arena, lookup->count * sizeof(char *))};
  if (!dead.roots) return rsm__fail_memory(reterr);
  for (; dead.count < lookup->count; dead.count++) {
    dead.roots[dead.count] = rsm__arena_strdup(arena, lookup->dead[dead.count].root);
    if (!dead.roots[dead.count]) return rsm__fail_memory(reterr);
  }
  *ret_dead = dead;
  return RSM_OK;
}

bool rsm__dead_covers(const rsm__dead_roots *dead, const char *path) {
  size_t length = rsm__root_length(path);
  for (size_t i = 0; i < dead->count; i++)
    if (strlen(dead->roots[i]) == length && _strnicmp(dead->roots[i], path, length) == 0) return true;
  return false;
}

rsm_status rsm__lookup_run(rsm__lookup *lookup, rsm__bounded_work *work, rsm__bounded_free *free_argument,
                           void *argument, rsm__task *task, rsm_error *reterr) {
  rsm__bounded *stuck = NULL;
  rsm_status status = rsm__bounded_run(work, free_argument, argument, lookup->limit_ms, task, &stuck, reterr);
  if (status != RSM_OK && status != RSM_CANCELLED && status != RSM_TIMEOUT) free_argument(argument);
  if (status != RSM_TIMEOUT || !stuck) return status;
  status = remember_root(lookup, stuck, reterr);
  return status == RSM_OK ? RSM_TIMEOUT : status;
}

/* ---- Places ---- */

/* All that the thread reads and writes: it may outlive whoever asked. */
typedef struct place_job {
  rsm__arena arena;
  const char **paths;
  rsm__place *places;
  size_t count;
  rsm__dead_roots dead;
  bool failed;
} place_job;

static void free_place_job(void *argument) {
  place_job *job = argument;
  rsm__arena_done(&job->arena);
  rsm__free(job);
}

static place_job *new_place_job(const char *const *paths, size_t count) {
  place_job *job = rsm__calloc(1, sizeof *job);
  if (!job) return NULL;
  job->count = count;
  job->paths = rsm__arena_alloc(&job->arena, count * sizeof *job->paths);
  job->places = rsm__arena_alloc(&job->arena, count * sizeof *job->places);
  bool whole = job->paths && job->places;
  for (size_t i = 0; i < count && whole; i++) {
    job->paths[i] = rsm__arena_strdup(&job->arena, paths[i]);
    whole = job->paths[i] != NULL;
  }
  if (whole) return job;
  free_place_job(job);
  return NULL;
}

static void follow_places(rsm__bounded *bounded, void *argument) {
  place_job *job = argument;
  job->failed = !rsm__places_follow(bounded, &job->dead, job->paths, job->count, &job->arena, job->places);
}

/* One thread's attempt. RSM_TIMEOUT: another is due, without the drive or share that hung. */
static rsm_status try_places(rsm__lookup *lookup, const char *const *paths, size_t count, rsm__task *task,
                             rsm__places *ret_places, rsm_error *reterr) {
  place_job *job = new_place_job(paths, count);
  if (!job) return rsm__fail_memory(reterr);
  rsm_status status = rsm__lookup_dead(lookup, &job->arena, &job->dead, reterr);
  if (status != RSM_OK) {
    free_place_job(job);
    return status;
  }
  status = rsm__lookup_run(lookup, follow_places, free_place_job, job, task, reterr);
  if (status != RSM_OK) return status;
  if (job->failed) {
    free_place_job(job);
    return rsm__fail_memory(reterr);
  }
  *ret_places = (rsm__places){.items = job->places, .count = count, .arena = job->arena};
  job->arena = (rsm__arena){0};
  free_place_job(job);
  return RSM_OK;
}

rsm_status rsm__lookup_places(rsm__lookup *lookup, const char *const *paths, size_t count, rsm__task *task,
                              rsm__places *ret_places, rsm_error *reterr) {
  rsm_status status = RSM_TIMEOUT;
  rsm__lookup_refresh(lookup);
  while (status == RSM_TIMEOUT) status = try_places(lookup, paths, count, task, ret_places, reterr);
  return status;
}

void rsm__places_done(rsm__places *places) {
  rsm__arena_done(&places->arena);
  *places = (rsm__places){0};
}

rsm_status rsm__lookup_real(rsm__lookup *lookup, const char *const *paths, size_t count, rsm__arena *arena,
                            const char **ret_reals, rsm_error *reterr) {
  RSM_CLEAN(rsm__places_done) rsm__places places = {0};
  rsm_status status = rsm__lookup_places(lookup, paths, count, NULL, &places, reterr);
  if (status != RSM_OK) return status;
  RSM_CLEAN_FREE const char **reals = rsm__calloc(count, sizeof *reals); /* ret_reals is untouched on failure */
  if (!reals) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < places.count; i++) {
    reals[i] = rsm__arena_strdup(arena, places.items[i].real);
    if (!reals[i] && places.items[i].real) return rsm__fail_memory(reterr);
  }
  if (count > 0) memcpy(ret_reals, reals, count * sizeof *reals);
  return RSM_OK;
}

void rsm__lookup_without_bpf(rsm__lookup *lookup) {
  (void)lookup; /* there is one way only */
}
