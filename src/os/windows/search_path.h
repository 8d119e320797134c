/* search_path.h: where modules and the system's own programs are. All results are to be freed with rsm__free; NULL: out
 * of memory. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_SEARCH_PATH_H
#define RSM_OS_WINDOWS_SEARCH_PATH_H

#include <wchar.h>
#include <windows.h>

wchar_t *rsm__module_path(HMODULE module);

/* Its full path in the system's folder, which is what a bare name would not be sure to find. name NULL: the folder. */
wchar_t *rsm__system_program(const wchar_t *name);

/* Our environment as a block for CreateProcessW, with the folders of all modules of this process that are not the
 * system's in front of PATH: what was found by this program is found by that one, too. */
wchar_t *rsm__search_path_environment(void);

#endif
