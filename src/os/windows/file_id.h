/* file_id.h: what a file is, whatever its names: its volume and its number there.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_FILE_ID_H
#define RSM_OS_WINDOWS_FILE_ID_H

#include <windows.h>

#include "base/buffer.h"

typedef struct rsm__file_id {
  uint64_t volume; /* 0: not told, as Wine does of an open file that was renamed */
  uint64_t index;
} rsm__file_id;

/* With these rights, and no others, we look at files, those of others and our own: nobody else opens one so, since
 * CreateFileW adds the right to wait. So who looks is told from who uses. */
enum { RSM__LOOK_FILE = FILE_READ_ATTRIBUTES, RSM__LOOK_DIRECTORY = FILE_READ_ATTRIBUTES | FILE_LIST_DIRECTORY };

/* A handle that asks for nothing but what kind of file it is (rights: one of the two): sharing never refuses it, and it
 * is in nobody's way. The file itself is not read, and not fetched from where it is archived. path: whole, beginning
 * with \\?\. at_link: the link itself, not where it leads. 0 or an NTSTATUS, which says more than Win32's numbers.
 * Blocks on the file system. */
int32_t rsm__file_look(const wchar_t *path, ACCESS_MASK rights, bool at_link, HANDLE *ret_handle);
/* The status as Win32's number; 0: there was no failure. */
uint32_t rsm__look_error(int32_t status);

/* The number alone: one question, to the volume's driver, and for most files it answers ours. 0: the volume has none,
 * or none that could tell files apart ([MS-FSCC] 2.1.9: 0 and all ones must be ignored); then its name has to do.
 * False: it is no file of a volume. Needs no right. Whoever waits in a read of the same handle's pipe blocks it. */
bool rsm__file_index(HANDLE file, uint64_t *ret_index);
bool rsm__file_volume(HANDLE file, uint64_t *ret_volume);
bool rsm__file_id_of(HANDLE file, rsm__file_id *ret_id); /* false: it has no number, or no volume */
/* The same of a number that a directory's listing has told. */
uint64_t rsm__file_number(uint64_t told);

/* What can be told without any right. False: nothing. */
typedef struct rsm__file_state {
  bool gone; /* removed, or to be when its last handle is closed */
  bool directory;
} rsm__file_state;
bool rsm__file_state_of(HANDLE file, rsm__file_state *ret_state);
uint32_t rsm__file_attributes(HANDLE file, uint32_t *ret_tag); /* tag: of a reparse point, else 0 */

/* Does it lie in a shadow copy, an older picture of a volume with the volume's own numbers? Blocks as the others. */
bool rsm__file_in_snapshot(HANDLE file, rsm__buffer *text);

/* Its path now, links resolved, in the spelling of the disk, with \\?\ before it, NUL-terminated; empty: it has none.
 * buffer->failed: out of memory. */
void rsm__file_real_path(HANDLE file, rsm__buffer *path);

#ifdef RSM_TEST_HOOKS
extern bool rsm__file_hook_no_numbers; /* all volumes are as one that gives its files no numbers */
#else
enum { rsm__file_hook_no_numbers = false };
#endif

#endif
