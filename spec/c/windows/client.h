/* client.h: what the clients of rstrtmgr.dll share: programs that know Windows' <restartmanager.h> and nothing of ours.
 * Each has the DLL in its own folder and the program `holder` in the one above. SPDX-License-Identifier: MIT */
#ifndef CLIENT_H
#define CLIENT_H

#include <windows.h>
#include <restartmanager.h>

#include <stdbool.h>
#include <stdint.h>
#include <wchar.h>

#include "check.h"

/* mingw-w64 has no names for these. */
enum {
  CLIENT_NOACTION_REBOOT = 350,
  CLIENT_FAIL_SHUTDOWN = 351,
  CLIENT_FAIL_RESTART = 352,
  CLIENT_MAX_SESSIONS = 353,
  CLIENT_OUT_OF_SEQUENCE = 776
};

/* ---- Files ---- */

/* This program's folder, with a backslash at the end. */
const wchar_t *client_folder(void);
/* A folder of this run's own, with a backslash at the end: made at the first call, removed at exit. */
const wchar_t *client_temp(void);
/* A path in it, in memory that stays. */
wchar_t *client_path(const wchar_t *name);
wchar_t *client_new_file(const wchar_t *name); /* with a few bytes in it */
/* Can it be opened for writing, alone? */
bool client_is_free(const wchar_t *path);
/* The whole of it, as bytes with a NUL, in memory that stays. "" if there is no such file. */
const char *client_read(const wchar_t *path);
/* The same from `words` on, once they stand in it somewhere after `before`: within ten seconds. */
const char *client_read_until(const wchar_t *path, const char *before, const char *words);

/* ---- Programs ---- */

typedef struct client_program {
  HANDLE process;
  HANDLE input; /* what it reads; closing it ends a holder */
  RM_UNIQUE_PROCESS id;
} client_program;

/* Starts NAME.exe, which stands in the folder above ours (or has a path), with arguments, and waits until it says
 * "ready". It ends when we do. flags: CreateProcess' (0: no console but ours). */
client_program client_start(const wchar_t *name, const wchar_t *arguments, DWORD flags);
/* holder with arguments. */
client_program client_hold(const wchar_t *arguments);
/* The same with "open PATH". */
client_program client_hold_file(const wchar_t *path);
bool client_runs(const client_program *program);
DWORD client_wait(client_program *program); /* its exit code, within ten seconds; it is closed */
void client_end(client_program *program);   /* ends and closes it */

RM_UNIQUE_PROCESS client_identity(HANDLE process);

/* ---- Sessions ---- */

DWORD client_session(WCHAR key[CCH_RM_SESSION_KEY + 1]); /* key may be NULL */
void client_close(DWORD session);
void client_register(DWORD session, const wchar_t *file);

/* Another thread, which cancels what the session does, every few milliseconds until client_cancel_end: so it meets the
 * call, and what comes before and after it. words (may be NULL): it begins when they are in the file. In between only
 * that call may be made. */
typedef struct client_canceller {
  DWORD session;
  const wchar_t *file;
  const char *words;
  HANDLE over, thread;
} client_canceller;
void client_cancel_begin(client_canceller *canceller);
void client_cancel_end(client_canceller *canceller);

/* A whole list. infos: in memory that stays. */
typedef struct client_list {
  DWORD code;
  UINT needed, count;
  DWORD reasons;
  RM_PROCESS_INFO *infos;
} client_list;

/* With room for as many as there are, and for one more. */
client_list client_get_list(DWORD session);
/* The entry of that process; NULL: none. */
const RM_PROCESS_INFO *client_find(const client_list *list, const RM_UNIQUE_PROCESS *process);

#endif
