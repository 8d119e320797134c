/* os_error.c: the one translation of Windows' error numbers. SPDX-License-Identifier: MIT */
#include "os/windows/os_error.h"

#include <windows.h>
#include <winternl.h>

#include "base/cleanup.h"
#include "os/windows/wide.h"

/* Those that mean what a status of ours means; what is not here is an unexpected failure. */
static const struct {
  uint32_t code;
  rsm_status status;
} table[] = {
    {ERROR_SUCCESS, RSM_OK},
    {ERROR_ACCESS_DENIED, RSM_ACCESS_DENIED},
    {ERROR_FILE_EXISTS, RSM_ACCESS_DENIED}, /* somebody else's file stands where ours was to be */
    {ERROR_ALREADY_EXISTS, RSM_ACCESS_DENIED},
    {ERROR_PRIVILEGE_NOT_HELD, RSM_ACCESS_DENIED},
    {ERROR_CANT_ACCESS_FILE, RSM_ACCESS_DENIED},
    {ERROR_FILE_NOT_FOUND, RSM_FILE_NOT_FOUND},
    {ERROR_PATH_NOT_FOUND, RSM_FILE_NOT_FOUND},
    {ERROR_INVALID_NAME, RSM_FILE_NOT_FOUND},
    {ERROR_BAD_PATHNAME, RSM_FILE_NOT_FOUND},
    {ERROR_INVALID_DRIVE, RSM_FILE_NOT_FOUND},
    {ERROR_DIRECTORY, RSM_FILE_NOT_FOUND},
    {ERROR_BAD_NETPATH, RSM_FILE_NOT_FOUND},
    {ERROR_BAD_NET_NAME, RSM_FILE_NOT_FOUND},
    {ERROR_NOT_FOUND, RSM_NOT_FOUND},
    {ERROR_NOT_ENOUGH_MEMORY, RSM_OUT_OF_MEMORY},
    {ERROR_OUTOFMEMORY, RSM_OUT_OF_MEMORY},
    {ERROR_NO_SYSTEM_RESOURCES, RSM_OUT_OF_MEMORY},
    {ERROR_COMMITMENT_LIMIT, RSM_OUT_OF_MEMORY},
    {ERROR_NOT_ENOUGH_QUOTA, RSM_OUT_OF_MEMORY},
    {ERROR_WORKING_SET_QUOTA, RSM_OUT_OF_MEMORY},
    {ERROR_TIMEOUT, RSM_TIMEOUT},
    {WAIT_TIMEOUT, RSM_TIMEOUT},
    {ERROR_SERVICE_REQUEST_TIMEOUT, RSM_TIMEOUT},
    {ERROR_SEM_TIMEOUT, RSM_SEM_TIMEOUT},
    {ERROR_TOO_MANY_OPEN_FILES, RSM_BUSY},
    {ERROR_BUSY, RSM_BUSY},
    {ERROR_SHARING_VIOLATION, RSM_BUSY},
    {ERROR_LOCK_VIOLATION, RSM_BUSY},
    {ERROR_MAX_THRDS_REACHED, RSM_BUSY},
    {ERROR_WRITE_PROTECT, RSM_WRITE_FAULT},
    {ERROR_WRITE_FAULT, RSM_WRITE_FAULT},
    {ERROR_READ_FAULT, RSM_WRITE_FAULT},
    {ERROR_DISK_FULL, RSM_WRITE_FAULT},
    {ERROR_HANDLE_DISK_FULL, RSM_WRITE_FAULT},
    {ERROR_IO_DEVICE, RSM_WRITE_FAULT},
    {ERROR_CRC, RSM_WRITE_FAULT},
    {ERROR_NOT_SUPPORTED, RSM_NOT_SUPPORTED},
    {ERROR_CALL_NOT_IMPLEMENTED, RSM_NOT_SUPPORTED},
    {ERROR_INVALID_FUNCTION, RSM_NOT_SUPPORTED},
    {ERROR_PROC_NOT_FOUND, RSM_NOT_SUPPORTED},
    {ERROR_INVALID_PARAMETER, RSM_INVALID_PARAMETER},
    {ERROR_FILENAME_EXCED_RANGE, RSM_INVALID_PARAMETER},
    {ERROR_MORE_DATA, RSM_MORE_DATA},
    {ERROR_CANCELLED, RSM_CANCELLED},
    {ERROR_SERVICE_DOES_NOT_EXIST, RSM_NO_SUCH_SERVICE},
    {ERROR_ENVVAR_NOT_FOUND, RSM_ENVVAR_NOT_FOUND},
};

rsm_status rsm__windows_status(uint32_t code) {
  for (size_t i = 0; i < RSM_COUNT(table); i++)
    if (table[i].code == code) return table[i].status;
  return RSM_GEN_FAILURE;
}

/* The system's words, one line without the full stop. */
static const char *words_of(uint32_t code, char *text, size_t size) {
  wchar_t wide[256];
  DWORD flags = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS | FORMAT_MESSAGE_MAX_WIDTH_MASK;
  DWORD length = FormatMessageW(flags, NULL, code, 0, wide, RSM_COUNT(wide), NULL);
  while (length > 0 && (wide[length - 1] == L' ' || wide[length - 1] == L'.')) length--;
  if (length == 0) return NULL;
  return rsm__narrow_to(text, size, wide, length);
}

static rsm_status fail_as(rsm_error *reterr, uint32_t code, uint32_t shown, const char *call, const char *subject) {
  DWORD before = GetLastError();
  char text[96];
  rsm_status status = rsm__not_ok(rsm__windows_status(code));
  if (reterr) rsm__fail_call(reterr, status, call, (int)shown, words_of(code, text, sizeof text), subject);
  SetLastError(before);
  return status;
}

rsm_status rsm__fill_windows(rsm_error *reterr, uint32_t code, const char *call, const char *subject) {
  return fail_as(reterr, code ? code : ERROR_GEN_FAILURE, code, call, subject); /* it failed, whatever it says */
}

rsm_status rsm__fill_nt(rsm_error *reterr, int32_t code, const char *call, const char *subject) {
  return fail_as(reterr, RtlNtStatusToDosError(code), (uint32_t)code, call, subject);
}

rsm_status rsm__fill_hresult(rsm_error *reterr, int32_t code, const char *call, const char *subject) {
  uint32_t plain = HRESULT_FACILITY(code) == FACILITY_WIN32 ? (uint32_t)HRESULT_CODE(code) : (uint32_t)code;
  return fail_as(reterr, plain, (uint32_t)code, call, subject);
}
