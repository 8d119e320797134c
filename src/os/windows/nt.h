/* nt.h: what is asked of ntdll directly, since Win32 has no call for it. All of it is there from Windows 7 on and in
 * Wine. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_NT_H
#define RSM_OS_WINDOWS_NT_H

#include <windows.h>
#include <winternl.h>

enum {
  RSM__NT_SYSTEM_PROCESSES = 5,
  RSM__NT_SYSTEM_HANDLES = 64, /* every open handle of every process */
  RSM__NT_OPEN_NO_RECALL = 0x00400000,
  RSM__NT_DIRECTORY = 37, /* names with numbers: FILE_ID_BOTH_DIR_INFO */
  RSM__NT_PROCESS_BASIC = 0,
  RSM__NT_PROCESS_CONSOLE_HOST = 49, /* a pid, with flags in its lowest bits; Wine does not know */
  RSM__NT_PROCESS_WOW64 = 26,        /* where the 32-bit PEB is; 0: there is none */
  RSM__NT_FILE_INTERNAL = 6,         /* the file's number on its volume; needs no right, does not ask for the volume */
  RSM__NT_OBJECT_NAME = 1,
  RSM__NT_SECTION_BASIC = 0,
  RSM__NT_MAPPED_NAME = 2 /* of the file that is mapped there, without Win32's limit of 260 */
};

/* winternl.h has this one with half of its members under the name Reserved. */
typedef struct rsm__nt_process {
  ULONG next; /* bytes to the next one; 0: the last */
  ULONG threads;
  LARGE_INTEGER unused[3];
  LARGE_INTEGER created; /* a FILETIME */
  LARGE_INTEGER times[2];
  UNICODE_STRING name;
  LONG priority;
  HANDLE pid;
  HANDLE parent;
  ULONG handles;
  ULONG session;
} rsm__nt_process;

typedef struct rsm__nt_handle {
  PVOID object; /* NULL unless we may know kernel addresses */
  ULONG_PTR pid;
  ULONG_PTR value;
  ULONG access;
  USHORT trace;
  USHORT type;
  ULONG attributes;
  ULONG reserved;
} rsm__nt_handle;

typedef struct rsm__nt_handles {
  ULONG_PTR count;
  ULONG_PTR reserved;
  rsm__nt_handle items[1];
} rsm__nt_handles;

typedef struct rsm__nt_section {
  PVOID base;
  ULONG attributes; /* SEC_ flags, and SEC_FILE if it is backed by a file */
  LARGE_INTEGER size;
} rsm__nt_section;

NTSTATUS NTAPI NtQuerySection(HANDLE section, ULONG kind, PVOID data, SIZE_T size, SIZE_T *ret_size);
/* RSM__NT_MAPPED_NAME: a UNICODE_STRING and its text. */
NTSTATUS NTAPI NtQueryVirtualMemory(HANDLE process, const void *address, ULONG kind, PVOID data, SIZE_T size,
                                    SIZE_T *ret_size);
WCHAR NTAPI RtlUpcaseUnicodeChar(WCHAR unit);
NTSTATUS NTAPI NtQueryDirectoryFile(HANDLE directory, HANDLE event, PIO_APC_ROUTINE call, PVOID argument,
                                    PIO_STATUS_BLOCK block, PVOID data, ULONG size, FILE_INFORMATION_CLASS kind,
                                    BOOLEAN one, PUNICODE_STRING pattern, BOOLEAN restart);

#define RSM__STATUS_DELETE_PENDING ((NTSTATUS)0xC0000056)
#define RSM__STATUS_NAME_TOO_LONG ((NTSTATUS)0xC0000106)
#define RSM__STATUS_NOT_IMPLEMENTED ((NTSTATUS)0xC0000002)
#define RSM__STATUS_NO_MEMORY ((NTSTATUS)0xC0000017)
#define RSM__STATUS_NO_MORE_FILES ((NTSTATUS)0x80000006)
#define RSM__STATUS_NO_SUCH_FILE ((NTSTATUS)0xC000000F)
#define RSM__STATUS_INFO_LENGTH_MISMATCH ((NTSTATUS)0xC0000004)

#endif
