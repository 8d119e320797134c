/* client_victims.h: programs that hold one file, and what becomes of them, for the clients that stop them.
 * SPDX-License-Identifier: MIT */
#ifndef CLIENT_VICTIMS_H
#define CLIENT_VICTIMS_H

#include "client_service.h"

/* What the next victims hold, and into what they note what happens to them. */
static wchar_t *file, *note;

static inline void new_files(const wchar_t *name) {
  wchar_t of_note[64];
  swprintf(of_note, ARRAYSIZE(of_note), L"%ls-note", name);
  file = client_new_file(name);
  note = client_path(of_note);
}

/* A program without a console; orders: of its windows. */
static inline client_program windowless(const wchar_t *orders) {
  wchar_t arguments[MAX_PATH * 3];
  swprintf(arguments, ARRAYSIZE(arguments), L"open \"%ls\" note \"%ls\" %ls", file, note, orders);
  return client_start(L"holder_windowed.exe", arguments, 0);
}

static inline client_program windowed(const wchar_t *behaviour) {
  wchar_t orders[64];
  swprintf(orders, ARRAYSIZE(orders), L"window%ls", behaviour);
  return windowless(orders);
}

static inline client_program console(const wchar_t *more) {
  wchar_t arguments[MAX_PATH * 3];
  swprintf(arguments, ARRAYSIZE(arguments), L"open \"%ls\" console new note \"%ls\" %ls", file, note, more);
  return client_hold(arguments);
}

/* A service; words: what it does besides. */
static inline client_service service(const wchar_t *name, const wchar_t *words) {
  wchar_t arguments[MAX_PATH * 2];
  swprintf(arguments, ARRAYSIZE(arguments), L"open \"%ls\" %ls", file, words);
  return client_service_start(name, NULL, note, arguments);
}

/* `registered`, in a folder of that name of its own; file and note are its own from now on. */
static inline client_program registered(const wchar_t *name, const wchar_t *arguments) {
  wchar_t source[MAX_PATH], program[MAX_PATH], inside[64];
  CHECK(CreateDirectoryW(client_path(name), NULL));
  swprintf(source, MAX_PATH, L"%ls..\\registered.exe", client_folder());
  swprintf(program, MAX_PATH, L"%ls\\registered.exe", client_path(name));
  CHECK(CopyFileW(source, program, TRUE));
  swprintf(inside, ARRAYSIZE(inside), L"%ls\\held", name);
  file = client_new_file(inside);
  swprintf(inside, ARRAYSIZE(inside), L"%ls\\note", name);
  note = client_path(inside);
  return client_start(program, arguments, 0);
}

static inline DWORD session_on_file(void) {
  DWORD session = client_session(NULL);
  client_register(session, file);
  return session;
}

static inline ULONG status_of(DWORD session, const client_program *program) {
  client_list list = client_get_list(session);
  CHECK_INT(list.code, 0);
  const RM_PROCESS_INFO *info = client_find(&list, &program->id);
  CHECK(info != NULL);
  return info->AppStatus;
}

/* The first entry of that type. */
static inline const RM_PROCESS_INFO *of_type(const client_list *list, RM_APP_TYPE type) {
  for (UINT i = 0; i < list->count; i++)
    if (list->infos[i].ApplicationType == type) return &list->infos[i];
  return NULL;
}

static inline const char *since(const char *text, const char *word) {
  const char *found = strstr(text, word);
  if (!found) fprintf(stderr, "no '%s' in:\n%s", word, text);
  CHECK(found != NULL);
  return found;
}

/* ---- Progress ---- */

static int seen[128];
static size_t seen_count;

static inline void see(UINT percent) {
  if (seen_count < ARRAYSIZE(seen)) seen[seen_count++] = (int)percent;
}

static inline void check_seen(int last) {
  CHECK(seen_count >= 1 && seen[0] == 0);
  for (size_t i = 1; i < seen_count; i++) CHECK(seen[i] > seen[i - 1] && seen[i] <= 100);
  CHECK_INT(seen[seen_count - 1], last);
  seen_count = 0;
}

#endif
