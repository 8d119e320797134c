/* name.h: file names in the many spellings that Windows has for one (C:\x, \\?\C:\x, \??\C:\x,
 * \Device\HarddiskVolume2\x), brought to one, and that to a key that is the same for whatever Windows takes for the
 * same name. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_NAME_H
#define RSM_OS_WINDOWS_NAME_H

#include <stdbool.h>
#include <wchar.h>

#include "base/buffer.h"

enum { RSM__LETTERS = 26, RSM__DEVICE_SIZE = 128 };

/* Which device stands behind each drive letter; "": none. */
typedef struct rsm__letters {
  wchar_t devices[RSM__LETTERS][RSM__DEVICE_SIZE];
} rsm__letters;

void rsm__letters_read(rsm__letters *letters); /* the object manager's own names: no device is asked */

/* Zero-initialise; reused from name to name. Both texts have the same length in units and end with a NUL. */
typedef struct rsm__name {
  rsm__buffer plain; /* "C:\x", "\\server\share\x", else "\Device\..." or "Volume{...}\x" as it came */
  rsm__buffer key;   /* the same in upper case */
} rsm__name;

bool rsm__name_set(rsm__name *name, const rsm__letters *letters, const wchar_t *path,
                   size_t length); /* false: memory */
void rsm__name_done(rsm__name *name);
const wchar_t *rsm__name_plain(const rsm__name *name);
const wchar_t *rsm__name_key(const rsm__name *name);
size_t rsm__name_length(const rsm__name *name);

void rsm__upcase(wchar_t *text, size_t length); /* as Windows' own file systems do it */
/* Does the name lie on a server, by its looks? */
bool rsm__name_is_remote(const rsm__name *name);
/* Does the kernel's name lie in a shadow copy of a volume? */
bool rsm__name_in_snapshot(const wchar_t *kernels, size_t length);

#endif
