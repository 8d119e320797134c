/* program.c: SPDX-License-Identifier: MIT
 *
 * call                       | purpose                        | blocks on
 * GetFileVersionInfoW        | the program's description      | its file's server: so within the lookup's limit
 * CreateFileW, ReadFile      | the header of its file         | the same
 * QueryFullProcessImageNameW | its path                       | nothing
 * NtQueryInformationProcess  | the subsystem it was made for  | nothing
 */
#include "os/windows/program.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>
#include <winternl.h>

#include "os/windows/handle.h"
#include "os/windows/lookup.h"
#include "os/windows/os_error.h"
#include "os/windows/process_handle.h"
#include "os/windows/wide.h"

enum { FIRST_ROOM = 512, MOST_ROOM = 32768, VERSION_LIMIT = 1 << 20, DESCRIPTION_LIMIT = 255 };
enum { IMAGE_INFORMATION = 37 }; /* winternl.h calls it by number only */

/* ---- Its path ---------------------------------------------------------------------------------------------------- */

rsm_status rsm__program_path(const rsm__process *process, rsm__arena *arena, const wchar_t **ret_path,
                             rsm_error *reterr) {
  *ret_path = NULL;
  if (!rsm__process_can_query(process)) return RSM_OK;
  for (DWORD room = FIRST_ROOM; room <= MOST_ROOM; room *= 8) {
    RSM_CLEAN_WIDE path = rsm__malloc(room * sizeof *path);
    DWORD length = room;
    if (!path) return rsm__fail_memory(reterr);
    if (QueryFullProcessImageNameW(rsm__process_handle(process), 0, path, &length)) {
      wchar_t *kept = rsm__arena_alloc(arena, (length + 1u) * sizeof *kept);
      if (!kept) return rsm__fail_memory(reterr);
      wmemcpy(kept, path, length);
      *ret_path = kept;
      return RSM_OK;
    }
    if (GetLastError() != ERROR_INSUFFICIENT_BUFFER) return RSM_OK;
  }
  return RSM_OK;
}

/* ---- Its file ---------------------------------------------------------------------------------------------------- */

/* All that the thread reads and writes. */
typedef struct file_job {
  wchar_t *path;
  rsm__arena arena;
  const char *description;
  bool is_console;
} file_job;

static void free_job(void *argument) {
  file_job *job = argument;
  rsm__arena_done(&job->arena);
  rsm__free(job->path);
  rsm__free(job);
}

static file_job *new_job(const wchar_t *path) {
  size_t size = (wcslen(path) + 1) * sizeof *path;
  file_job *job = rsm__calloc(1, sizeof *job);
  if (job) job->path = rsm__malloc(size);
  if (job && job->path) {
    memcpy(job->path, path, size);
    return job;
  }
  if (job) free_job(job);
  return NULL;
}

static void touch(rsm__bounded *bounded, const wchar_t *path) {
  char text[1024];
  if (bounded) rsm__bounded_touch(bounded, rsm__narrow_to(text, sizeof text, path, wcslen(path)));
}

/* Did the drive or share that it lies on not answer before? Then it is not waited for again. */
static bool lies_dead(rsm__lookup *lookup, const wchar_t *path) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__dead_mounts dead = {0};
  const char *text = rsm__narrow_text_in(&arena, path);
  return text && rsm__lookup_dead(lookup, &arena, &dead, NULL) == RSM_OK && rsm__dead_covers(&dead, text);
}

/* RSM_TIMEOUT: it did not answer; the job is gone then, as with any other failure. */
static rsm_status run_job(const rsm__process *process, rsm__bounded_work *work, file_job *job, rsm_error *reterr) {
  rsm__lookup *lookup = rsm__process_lookup(process);
  if (lookup && lies_dead(lookup, job->path)) {
    free_job(job);
    return RSM_TIMEOUT;
  }
  if (lookup) return rsm__lookup_run(lookup, work, free_job, job, rsm__process_task(process), reterr);
  work(NULL, job);
  return RSM_OK;
}

/* ---- Its description --------------------------------------------------------------------------------------------- */

/* One of the languages that the file speaks, the first it lists; files that list none speak American English. */
static const wchar_t *find_description(const void *version) {
  wchar_t name[64];
  struct {
    WORD language, code_page;
  } *languages = NULL;
  UINT size = 0, length = 0;
  wchar_t *text = NULL;
  WORD language = 0x0409, code_page = 0x04B0;
  if (VerQueryValueW(version, L"\\VarFileInfo\\Translation", (void **)&languages, &size) && size >= sizeof *languages) {
    language = languages[0].language;
    code_page = languages[0].code_page;
  }
  _snwprintf(name, RSM_COUNT(name), L"\\StringFileInfo\\%04x%04x\\FileDescription", language, code_page);
  return VerQueryValueW(version, name, (void **)&text, &length) && length > 0 ? text : NULL;
}

static void read_description(rsm__bounded *bounded, void *argument) {
  file_job *job = argument;
  DWORD unused = 0;
  touch(bounded, job->path);
  DWORD size = GetFileVersionInfoSizeW(job->path, &unused);
  if (size == 0 || size > VERSION_LIMIT) return;
  RSM_CLEAN_FREE void *version = rsm__malloc(size);
  if (!version || !GetFileVersionInfoW(job->path, 0, size, version)) return;
  const wchar_t *text = find_description(version);
  size_t length = text ? wcsnlen(text, DESCRIPTION_LIMIT) : 0;
  while (length > 0 && text[length - 1] == L' ') length--;
  if (length > 0) job->description = rsm__narrow_in(&job->arena, text, length);
}

rsm_status rsm__program_description(const rsm__process *process, const wchar_t *path, rsm__arena *arena,
                                    const char **ret_name, rsm_error *reterr) {
  *ret_name = NULL;
  rsm__lookup *lookup = rsm__process_lookup(process);
  const char *words;
  if (lookup && rsm__lookup_recall(lookup, path, &words)) {
    *ret_name = rsm__arena_strdup(arena, words);
    return !words || *ret_name ? RSM_OK : rsm__fail_memory(reterr);
  }
  file_job *job = new_job(path);
  if (!job) return rsm__fail_memory(reterr);
  rsm_status status = run_job(process, read_description, job, reterr);
  if (status != RSM_OK) return status == RSM_TIMEOUT ? RSM_OK : status;
  if (lookup) rsm__lookup_keep(lookup, path, job->description);
  *ret_name = job->description;
  rsm__arena_move(arena, &job->arena);
  free_job(job);
  return RSM_OK;
}

/* ---- The subsystem that it was made for -------------------------------------------------------------------------- */

/* winternl.h does not have it. */
typedef struct section_image {
  void *entry;
  ULONG zero_bits;
  SIZE_T most_stack, first_stack;
  ULONG subsystem;
  ULONG others[7];
} section_image;

static bool read_at(HANDLE file, LONG where, void *to, DWORD size) {
  DWORD got = 0;
  return SetFilePointer(file, where, NULL, FILE_BEGIN) != INVALID_SET_FILE_POINTER &&
         ReadFile(file, to, size, &got, NULL) && got == size;
}

static void read_header(rsm__bounded *bounded, void *argument) {
  file_job *job = argument;
  touch(bounded, job->path);
  RSM_CLEAN_HANDLE HANDLE file = CreateFileW(
      job->path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
  IMAGE_DOS_HEADER dos;
  IMAGE_NT_HEADERS32 nt; /* up to the subsystem both kinds are alike */
  if (file == INVALID_HANDLE_VALUE || !read_at(file, 0, &dos, sizeof dos) || dos.e_magic != IMAGE_DOS_SIGNATURE) return;
  if (!read_at(file, dos.e_lfanew, &nt, sizeof nt) || nt.Signature != IMAGE_NT_SIGNATURE) return;
  job->is_console = nt.OptionalHeader.Subsystem == IMAGE_SUBSYSTEM_WINDOWS_CUI;
}

static bool file_is_console(const rsm__process *process) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  const wchar_t *path;
  if (rsm__program_path(process, &arena, &path, NULL) != RSM_OK || !path) return false;
  file_job *job = new_job(path);
  if (!job || run_job(process, read_header, job, NULL) != RSM_OK) return false;
  bool is_console = job->is_console;
  free_job(job);
  return is_console;
}

static bool ask_subsystem(HANDLE handle, ULONG *ret_subsystem) {
  section_image image = {0};
  if (NtQueryInformationProcess(handle, (PROCESSINFOCLASS)IMAGE_INFORMATION, &image, sizeof image, NULL) < 0)
    return false;
  *ret_subsystem = image.subsystem;
  return image.subsystem != IMAGE_SUBSYSTEM_UNKNOWN;
}

bool rsm__program_is_console(const rsm__process *process) {
  RSM_CLEAN_HANDLE HANDLE handle = NULL;
  ULONG subsystem;
  if (rsm__process_can_query(process) && ask_subsystem(rsm__process_handle(process), &subsystem))
    return subsystem == IMAGE_SUBSYSTEM_WINDOWS_CUI;
  if (rsm__process_open_rights(process, PROCESS_QUERY_INFORMATION, &handle, NULL) == RSM_OK &&
      ask_subsystem(handle, &subsystem))
    return subsystem == IMAGE_SUBSYSTEM_WINDOWS_CUI;
  return file_is_console(process);
}
