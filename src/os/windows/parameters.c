/* parameters.c: a process' parameters, by way of its process environment block.
 *
 * Windows has no other call that gives the directory and the environment of somebody else. The two layouts are those of
 * every Windows since XP, and Wine's; that of 64 bits is used for a process of 32 bits, too, where it has no other yet.
 *
 * call                                     | purpose                          | blocks on
 * NtQueryInformationProcess                | where the block is               | nothing
 * ReadProcessMemory, NtWow64ReadVirtual... | a copy of what is there          | its pages being read back from the disk
 * VirtualQueryEx                           | where the environment's memory ends | nothing
 *
 * It changes while it is read, so whatever is read is only as good as the process is honest: lengths are bounded, and
 * nothing is followed twice. SPDX-License-Identifier: MIT */
#include "os/windows/parameters.h"

#include <stddef.h>
#include <string.h>
#include <windows.h>
#include <winternl.h>

#include "os/windows/capture.h"
#include "os/windows/handle.h"
#include "os/windows/os_error.h"
#include "os/windows/process_handle.h"

/* ---- The layouts ---- */

typedef struct text_64 {
  uint16_t length, maximum; /* in bytes */
  uint32_t unused;
  uint64_t buffer;
} text_64;

typedef struct parameters_64 {
  uint32_t maximum_length, length, flags, debug_flags;
  uint64_t console;
  uint64_t console_flags, input, output, error;
  text_64 directory;
  uint64_t directory_handle;
  text_64 dll_path, image, command_line;
  uint64_t environment;
  uint32_t window[9]; /* from X to FillAttribute: 7, then WindowFlags, ShowWindowFlags */
  uint32_t unused;
  text_64 title, desktop, shell, runtime;
  uint64_t drives[96];
  uint64_t environment_size;
} parameters_64;

typedef struct text_32 {
  uint16_t length, maximum;
  uint32_t buffer;
} text_32;

typedef struct parameters_32 {
  uint32_t maximum_length, length, flags, debug_flags;
  uint32_t console, console_flags, input, output, error;
  text_32 directory;
  uint32_t directory_handle;
  text_32 dll_path, image, command_line;
  uint32_t environment;
  uint32_t window[9];
  text_32 title, desktop, shell, runtime;
  uint32_t drives[128];
  uint32_t environment_size;
} parameters_32;

enum { WINDOW_FLAGS = 7, SHOW_WINDOW = 8 };
enum { BLOCK_TO_PARAMETERS_64 = 0x20, BLOCK_TO_PARAMETERS_32 = 0x10 };

_Static_assert(offsetof(parameters_64, command_line) == 0x70 && offsetof(parameters_64, title) == 0xB0 &&
                   offsetof(parameters_64, environment_size) == 0x3F0,
               "the layout of 64 bits");
_Static_assert(offsetof(parameters_32, command_line) == 0x40 && offsetof(parameters_32, title) == 0x70 &&
                   offsetof(parameters_32, environment_size) == 0x290,
               "the layout of 32 bits");

/* ---- The memory ---- */

typedef LONG NTAPI query_process(HANDLE process, int what, void *ret, ULONG size, ULONG *ret_size);
typedef LONG NTAPI read_memory_64(HANDLE process, uint64_t from, void *to, uint64_t size, uint64_t *ret_size);

enum { AHEAD = 4096 };

typedef struct reader {
  HANDLE process;
  rsm__arena *arena;
  bool is_64_bit;
  uint64_t block;
  read_memory_64 *read_far; /* a 32-bit program's way to a 64-bit one; else NULL */
  uint64_t ahead_at;        /* what was read in one piece, from where */
  size_t ahead_size;        /* 0: nothing was */
  unsigned char ahead[AHEAD];
} reader;

static void reader_done(reader *from) {
  rsm__handle_close(&from->process);
}

static FARPROC nt_call(const char *name) {
  HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
  return ntdll ? GetProcAddress(ntdll, name) : NULL;
}

static bool read_memory(const reader *from, uint64_t address, void *to, size_t size) {
  if (from->read_far) {
    uint64_t done = 0;
    LONG code = from->read_far(from->process, address, to, size, &done);
    return code >= 0 && done == size;
  }
  SIZE_T done = 0;
  return address <= UINTPTR_MAX &&
         ReadProcessMemory(from->process, (const void *)(uintptr_t)address, to, size, &done) && done == size;
}

/* In Wine each read stops the process for a while. The texts lie behind the parameters, if nobody has changed them: so
 * one read has all. Where the memory ends before that, each is read by itself. */
static void read_ahead(reader *from, uint64_t address) {
  from->ahead_at = address;
  from->ahead_size = read_memory(from, address, from->ahead, AHEAD) ? AHEAD : 0;
}

/* RSM_NOT_FOUND: nothing is there (any more). */
static rsm_status copy_memory(const reader *from, uint64_t address, void *to, size_t size, rsm_error *reterr) {
  uint64_t offset = address - from->ahead_at;
  if (address >= from->ahead_at && offset < from->ahead_size && size <= from->ahead_size - offset) {
    memcpy(to, from->ahead + offset, size);
    return RSM_OK;
  }
  if (read_memory(from, address, to, size)) return RSM_OK;
  return rsm__fail(reterr, RSM_NOT_FOUND, NULL, "its parameters cannot be read");
}

static bool is_64_bit_system(void) {
#ifdef _WIN64
  return true;
#else
  BOOL below = FALSE;
  return IsWow64Process(GetCurrentProcess(), &below) && below;
#endif
}

/* Where the block is, and of which kind. */
static rsm_status find_block(reader *from, rsm_error *reterr) {
  enum { BASIC = 0, WOW_64 = 26 };
  PROCESS_BASIC_INFORMATION basic = {0};
  ULONG_PTR narrow = 0;
  query_process *query = (query_process *)(void *)nt_call("NtQueryInformationProcess");
  if (!query) return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL, "this system does not tell of a process' parameters");
  LONG code = query(from->process, WOW_64, &narrow, sizeof narrow, NULL);
  if (code < 0) return rsm__fail_nt(reterr, (int32_t)code, "NtQueryInformationProcess", NULL);
  from->is_64_bit = !narrow && is_64_bit_system();
#ifndef _WIN64
  if (from->is_64_bit) {
    struct {
      uint64_t exit_code, block, others[4];
    } far_basic = {0};
    query = (query_process *)(void *)nt_call("NtWow64QueryInformationProcess64");
    from->read_far = (read_memory_64 *)(void *)nt_call("NtWow64ReadVirtualMemory64");
    if (!query || !from->read_far || query(from->process, BASIC, &far_basic, sizeof far_basic, NULL) < 0)
      return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL, "a 64-bit program, and the installer is one of 32 bits");
    from->block = far_basic.block;
    return RSM_OK;
  }
#endif
  if (narrow && sizeof narrow == 8) {
    from->block = narrow;
    return RSM_OK;
  }
  code = query(from->process, BASIC, &basic, sizeof basic, NULL);
  if (code < 0) return rsm__fail_nt(reterr, (int32_t)code, "NtQueryInformationProcess", NULL);
  from->block = (uintptr_t)basic.PebBaseAddress;
  return RSM_OK;
}

/* *ret_text NULL: it is empty. */
static rsm_status copy_text(const reader *from, uint64_t address, size_t bytes, const wchar_t **ret_text,
                            rsm_error *reterr) {
  size_t length = bytes / sizeof(wchar_t);
  if (!address || !length) return RSM_OK;
  wchar_t *text = rsm__arena_alloc(from->arena, (length + 1) * sizeof *text);
  if (!text) return rsm__fail_memory(reterr);
  rsm_status status = copy_memory(from, address, text, length * sizeof *text, reterr);
  if (status == RSM_OK && text[0]) *ret_text = text;
  return status;
}

/* ---- The environment ---- */

/* How many bytes are mapped in one piece from there on: a size that it keeps itself may be an old one. */
static size_t mapped_from(const reader *from, uint64_t address) {
  MEMORY_BASIC_INFORMATION region;
  if (from->read_far || !VirtualQueryEx(from->process, (const void *)(uintptr_t)address, &region, sizeof region))
    return 0;
  uint64_t end = (uintptr_t)region.BaseAddress + region.RegionSize;
  return region.State == MEM_COMMIT && end > address ? (size_t)(end - address) : 0;
}

static rsm_status copy_environment(const reader *from, uint64_t address, uint64_t told, rsm__parameters *to,
                                   rsm_error *reterr) {
  const size_t limit = (size_t)RSM__CAPTURE_MAX_ENVIRONMENT * sizeof(wchar_t);
  size_t size = mapped_from(from, address);
  if (!size && told < limit) size = (size_t)told;
  if (size > limit) size = limit;
  if (!address || size < sizeof(wchar_t)) return RSM_OK;
  RSM_CLEAN_FREE wchar_t *block = rsm__malloc(size);
  if (!block) return rsm__fail_memory(reterr);
  rsm_status status = copy_memory(from, address, block, size, reterr);
  if (status != RSM_OK) return status;
  size_t length = rsm__environment_length(block, size / sizeof *block);
  if (!length) return RSM_OK;
  wchar_t *kept = rsm__arena_alloc(from->arena, length * sizeof *kept);
  if (!kept) return rsm__fail_memory(reterr);
  wmemcpy(kept, block, length);
  to->environment = kept;
  to->environment_length = length;
  return RSM_OK;
}

/* ---- All of it ---- */

/* What both layouts come to. */
typedef struct places {
  uint64_t console;
  text_64 directory, command_line, desktop;
  uint64_t environment, environment_size;
  uint32_t window_flags, show;
} places;

static text_64 widen(const text_32 *text) {
  return (text_64){.length = text->length, .maximum = text->maximum, .buffer = text->buffer};
}

static rsm_status read_places_64(reader *from, places *ret, rsm_error *reterr) {
  uint64_t address = 0;
  parameters_64 told;
  rsm_status status = copy_memory(from, from->block + BLOCK_TO_PARAMETERS_64, &address, sizeof address, reterr);
  if (status == RSM_OK) read_ahead(from, address);
  if (status == RSM_OK) status = copy_memory(from, address, &told, sizeof told, reterr);
  if (status != RSM_OK) return status;
  *ret = (places){.console = told.console,
                  .directory = told.directory,
                  .command_line = told.command_line,
                  .desktop = told.desktop,
                  .environment = told.environment,
                  .environment_size = told.environment_size,
                  .window_flags = told.window[WINDOW_FLAGS],
                  .show = told.window[SHOW_WINDOW]};
  return RSM_OK;
}

static rsm_status read_places_32(reader *from, places *ret, rsm_error *reterr) {
  uint32_t address = 0;
  parameters_32 told;
  rsm_status status = copy_memory(from, from->block + BLOCK_TO_PARAMETERS_32, &address, sizeof address, reterr);
  if (status == RSM_OK) read_ahead(from, address);
  if (status == RSM_OK) status = copy_memory(from, address, &told, sizeof told, reterr);
  if (status != RSM_OK) return status;
  *ret = (places){.console = told.console,
                  .directory = widen(&told.directory),
                  .command_line = widen(&told.command_line),
                  .desktop = widen(&told.desktop),
                  .environment = told.environment,
                  .environment_size = told.environment_size,
                  .window_flags = told.window[WINDOW_FLAGS],
                  .show = told.window[SHOW_WINDOW]};
  return RSM_OK;
}

static rsm_status open_reader(const rsm__process *process, reader *from, rsm_error *reterr) {
  rsm_status status =
      rsm__process_open_rights(process, PROCESS_QUERY_INFORMATION | PROCESS_VM_READ, &from->process, reterr);
  return status == RSM_OK ? find_block(from, reterr) : status;
}

rsm_status rsm__parameters_read(const rsm__process *process, bool with_environment, rsm__arena *arena,
                                rsm__parameters *ret_parameters, rsm_error *reterr) {
  RSM_CLEAN(reader_done) reader from = {.arena = arena};
  rsm__parameters read = {0};
  places at = {0};
  rsm_status status = open_reader(process, &from, reterr);
  if (status == RSM_OK)
    status = from.is_64_bit ? read_places_64(&from, &at, reterr) : read_places_32(&from, &at, reterr);
  if (status == RSM_OK)
    status = copy_text(&from, at.command_line.buffer, at.command_line.length, &read.command_line, reterr);
  if (status == RSM_OK) status = copy_text(&from, at.directory.buffer, at.directory.length, &read.directory, reterr);
  if (status == RSM_OK) status = copy_text(&from, at.desktop.buffer, at.desktop.length, &read.desktop, reterr);
  if (status == RSM_OK && with_environment)
    status = copy_environment(&from, at.environment, at.environment_size, &read, reterr);
  if (status != RSM_OK) return status;
  read.is_32_bit = !from.is_64_bit && is_64_bit_system();
  read.has_console = at.console != 0;
  read.has_show = at.window_flags & STARTF_USESHOWWINDOW;
  read.show = at.show & 0xFFFF;
  *ret_parameters = read;
  return RSM_OK;
}

void rsm__parameters_note_free(rsm__parameters_note *note) {
  if (!note) return;
  rsm__arena_done(&note->arena);
  rsm__free(note);
}
