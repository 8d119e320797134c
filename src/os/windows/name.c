/* name.c: see name.h. SPDX-License-Identifier: MIT */
#include "os/windows/name.h"

#include <string.h>
#include <windows.h>

#include "os/windows/nt.h"

void rsm__letters_read(rsm__letters *letters) {
  DWORD present = GetLogicalDrives();
  for (unsigned i = 0; i < RSM__LETTERS; i++) {
    const wchar_t drive[] = {(wchar_t)(L'A' + i), L':', 0};
    wchar_t *device = letters->devices[i];
    /* several texts may come, the one that counts first; one that is too long is no volume's */
    if (!(present & 1u << i) || QueryDosDeviceW(drive, device, RSM__DEVICE_SIZE) == 0) device[0] = 0;
  }
}

void rsm__name_done(rsm__name *name) {
  rsm__buffer_done(&name->plain);
  rsm__buffer_done(&name->key);
}

const wchar_t *rsm__name_plain(const rsm__name *name) {
  return (const wchar_t *)(const void *)name->plain.data;
}

const wchar_t *rsm__name_key(const rsm__name *name) {
  return (const wchar_t *)(const void *)name->key.data;
}

size_t rsm__name_length(const rsm__name *name) {
  return name->plain.length / sizeof(wchar_t) - 1;
}

void rsm__upcase(wchar_t *text, size_t length) {
  for (size_t i = 0; i < length; i++)
    text[i] = text[i] < 0x80 ? (wchar_t)(text[i] >= L'a' && text[i] <= L'z' ? text[i] - 32 : text[i])
                             : RtlUpcaseUnicodeChar(text[i]);
}

bool rsm__name_is_remote(const rsm__name *name) {
  return wcsncmp(rsm__name_plain(name), L"\\\\", 2) == 0;
}

/* Length of the start if the path begins with it, in any case; else 0. */
static size_t begins(const wchar_t *path, size_t length, const wchar_t *start) {
  size_t size = wcslen(start);
  return size > 0 && size <= length && _wcsnicmp(path, start, size) == 0 ? size : 0;
}

bool rsm__name_in_snapshot(const wchar_t *kernels, size_t length) {
  return begins(kernels, length, L"\\Device\\HarddiskVolumeShadowCopy") > 0;
}

static void put(rsm__name *name, const wchar_t *text, size_t length) {
  rsm__buffer_put(&name->plain, text, length * sizeof *text);
}

/* A volume's device with a letter. False: it has none. */
static bool put_lettered(rsm__name *name, const rsm__letters *letters, const wchar_t *path, size_t length) {
  for (unsigned i = 0; i < RSM__LETTERS; i++) {
    size_t size = begins(path, length, letters->devices[i]);
    if (size == 0 || (size < length && path[size] != L'\\')) continue;
    const wchar_t drive[] = {(wchar_t)(L'A' + i), L':'};
    put(name, drive, 2);
    put(name, path + size, length - size);
    return true;
  }
  return false;
}

/* \Device\Mup\server\share\x, \Device\LanmanRedirector\;Z:0000000000012345\server\share\x. False: something else. */
static bool put_remote(rsm__name *name, const wchar_t *path, size_t length) {
  size_t at = begins(path, length, L"\\Device\\Mup\\");
  if (at == 0) at = begins(path, length, L"\\Device\\LanmanRedirector\\");
  if (at == 0) return false;
  while (at < length && path[at] == L';') {
    while (at < length && path[at] != L'\\') at++;
    if (at < length) at++;
  }
  put(name, L"\\\\", 2);
  put(name, path + at, length - at);
  return true;
}

static void put_plain(rsm__name *name, const rsm__letters *letters, const wchar_t *path, size_t length) {
  size_t at = begins(path, length, L"\\\\?\\");
  if (at == 0) at = begins(path, length, L"\\??\\");
  if (at == 0) at = begins(path, length, L"\\\\.\\");
  if (at > 0) {
    size_t unc = begins(path + at, length - at, L"UNC\\");
    size_t global = begins(path + at, length - at, L"GLOBALROOT\\");
    if (unc > 0) put(name, L"\\\\", 2);
    at += unc > 0 ? unc : global > 0 ? global - 1 : 0;
    path += at;
    length -= at;
  }
  if (begins(path, length, L"\\Device\\") &&
      (put_lettered(name, letters, path, length) || put_remote(name, path, length)))
    return;
  put(name, path, length);
}

bool rsm__name_set(rsm__name *name, const rsm__letters *letters, const wchar_t *path, size_t length) {
  name->plain.length = name->key.length = 0;
  put_plain(name, letters, path, length);
  put(name, L"", 1);
  rsm__buffer_put(&name->key, name->plain.data, name->plain.length);
  if (name->plain.failed || name->key.failed) return false;
  rsm__upcase((wchar_t *)(void *)name->key.data, rsm__name_length(name));
  return true;
}
