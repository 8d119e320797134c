/* carriers.c: we, who started us, and who serves our consoles, out of one list: so no number changes hands between two
 * steps. Under Wine what a Unix shell has started has no parent.
 *
 * call                            | purpose                                      | blocks on
 * NtQueryInformationProcess       | who serves a process' console (not in Wine)  | nothing
 * GetConsoleWindow, GetAncestor   | whose window shows our console               | nothing; no message is sent
 *
 * A console's host and its terminal are no ancestors of the programs in it: the system starts the first, and with a
 * default terminal the second, too. When one of them ends, all programs of the console end.
 * SPDX-License-Identifier: MIT */
#include "os/process.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "os/windows/handle.h"
#include "os/windows/nt.h"
#include "os/windows/process_list.h"
#include "os/windows/window.h"

/* Windows' programs outlive who started them: the desktop's shell, which starts nearly everything, carries nobody. */
static const rsm__listed_process *next(const rsm__process_list *list, const rsm__listed_process *at, uint32_t shell,
                                       size_t depth) {
  /* Parents are no younger than their children; equal times in a circle are the only way not to come to an end. */
  const rsm__listed_process *parent = depth < list->count ? rsm__process_list_parent(list, at) : NULL;
  return parent && parent->id.pid == shell ? NULL : parent;
}

/* 0: none, or it is not told. */
static uint32_t console_host(const rsm_process *process) {
  enum { FLAGS = 3 }; /* what the lowest bits of the answer are; pids are multiples of four */
  ULONG_PTR host = 0;
  RSM_CLEAN_HANDLE HANDLE handle = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, process->pid);
  if (!handle) return 0;
  NTSTATUS code =
      NtQueryInformationProcess(handle, (PROCESSINFOCLASS)RSM__NT_PROCESS_CONSOLE_HOST, &host, sizeof host, NULL);
  return code >= 0 ? (uint32_t)(host & ~(ULONG_PTR)FLAGS) : 0;
}

/* The window that a terminal shows our console in: the console's own belongs to that. */
static uint32_t terminal(void) {
  HWND window = GetConsoleWindow();
  HWND root = window ? GetAncestor(window, GA_ROOTOWNER) : NULL;
  DWORD owner = 0;
  return root && GetWindowThreadProcessId(root, &owner) ? owner : 0;
}

static void append(const rsm__process_list *list, uint32_t pid, rsm_process *carriers, size_t *count) {
  const rsm__listed_process *found = pid ? rsm__process_list_find(list, pid) : NULL;
  for (size_t i = 0; found && i < *count; i++)
    if (rsm_process_equal(&found->id, &carriers[i])) found = NULL;
  if (found) carriers[(*count)++] = found->id;
}

rsm_status rsm__process_carriers(rsm__arena *arena, const rsm_process **ret_carriers, size_t *ret_count,
                                 rsm_error *reterr) {
  RSM_CLEAN(rsm__process_list_done) rsm__process_list list = {0};
  rsm_status status = rsm__process_list_read(&list, reterr);
  if (status != RSM_OK) return status;
  const rsm__listed_process *self = rsm__process_list_find(&list, rsm__process_self());
  if (!self) return rsm__fail(reterr, RSM_GEN_FAILURE, NULL, "the system's list of processes does not show us");
  uint32_t shell = rsm__shell_process();
  size_t count = 0;
  for (const rsm__listed_process *at = self; at; at = next(&list, at, shell, count)) count++;
  rsm_process *carriers = rsm__arena_alloc(arena, (2 * count + 1) * sizeof *carriers);
  if (!carriers) return rsm__fail_memory(reterr);
  size_t ancestors = 0;
  for (const rsm__listed_process *at = self; at && ancestors < count; at = next(&list, at, shell, ancestors))
    carriers[ancestors++] = at->id;
  count = ancestors;
  for (size_t i = 0; i < ancestors; i++) append(&list, console_host(&carriers[i]), carriers, &count);
  append(&list, terminal(), carriers, &count);
  *ret_carriers = carriers;
  *ret_count = count;
  return RSM_OK;
}
