/* command_line.h: one text and many arguments. A Windows process gets its arguments as one line, and every program
 * splits it by itself: nearly all by CommandLineToArgvW's rules, or by the C library's, which differ in rare cases of
 * doubled quotes only. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_COMMAND_LINE_H
#define RSM_OS_WINDOWS_COMMAND_LINE_H

#include <wchar.h>

#include "base/arena.h"
#include "rsm.h"

enum { RSM__COMMAND_LINE_MOST = 32766 }; /* units that CreateProcessW takes, without the NUL */

/* CommandLineToArgvW's arguments of a line, but that an empty line has none. In the arena, ended by a NULL. */
rsm_status rsm__command_line_split(const wchar_t *line, rsm__arena *arena, const char *const **ret_args,
                                   size_t *ret_count, rsm_error *reterr);

/* A line that splits into these arguments by either's rules; to be freed with rsm__free. args[0] is the program's name,
 * for which other rules hold. RSM_INVALID_PARAMETER: a program's name with a quote in it, or longer than may be.
 * RSM_BAD_ARGUMENTS: not UTF-8, or no argument at all. */
rsm_status rsm__command_line_join(const char *const *args, size_t count, wchar_t **ret_line, rsm_error *reterr);

#endif
