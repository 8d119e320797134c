/* manager.c: the operating system's Restart Manager behind core's seam: the life of its sessions.
 *
 * call            | purpose                            | blocks
 * RmStartSession, RmJoinSession, RmEndSession | a session's entry in the registry | the registry's lock; 121 then
 * RmRestart       | what a lost session has stopped    | until it runs again
 * SPDX-License-Identifier: MIT */
#include "system/system.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "core/plan.h"
#include "os/launch.h"
#include "os/process.h"
#include "os/windows/wide.h"

enum { LOOKUP_LIMIT_MS = 2000, KEY_UNITS = RSM_KEY_LENGTH + 1 };

/* Wine's own DLL is no Restart Manager, and where a real one stands in its place ours is the same without the detour.
 */
static int preference(void) {
  return rsm__native_is_wine() ? 0 : 20;
}

static bool available(rsm_error *reterr) {
  return rsm__native_load(reterr) != NULL;
}

/* ---- Beginning --------------------------------------------------------------------------------------------------- */

static void free_session(void *state) {
  rsm__system *session = state;
  if (session->native && session->open)
    session->native->RmEndSession(session->handle); /* it was not even handed over */
  rsm__folders_done(&session->folders);
  rsm_resource_list_free(session->registered);
  rsm_list_free(session->stopped);
  rsm__free(session->stoppable);
  rsm__lookup_free(session->lookup);
  rsm__free(session);
}

static void clean_session(rsm__system **session) {
  if (*session) free_session(*session);
}

static rsm_status new_session(bool primary, rsm__system **ret_session, rsm_error *reterr) {
  rsm__system *session = rsm__calloc(1, sizeof *session);
  if (!session) return rsm__fail_memory(reterr);
  InitializeSRWLock(&session->op_lock);
  session->primary = primary;
  session->native = rsm__native_load(reterr);
  session->registered = rsm__resource_list_new();
  rsm_status status = session->native ? RSM_OK : RSM_NOT_SUPPORTED;
  if (status == RSM_OK && !session->registered) status = rsm__fail_memory(reterr);
  if (status == RSM_OK) status = rsm__lookup_new(LOOKUP_LIMIT_MS, &session->lookup, reterr);
  if (status == RSM_OK) status = rsm_process_find(rsm__process_self(), &session->self, reterr);
  if (status == RSM_OK)
    *ret_session = session;
  else
    free_session(session);
  return status;
}

/* A promise that could not be kept is refused before anything is stopped. */
static rsm_status check_options(const rsm_start_options *options, rsm_error *reterr) {
  if (options->restart_unregistered)
    return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL,
                     "the system's Restart Manager starts only what has registered for it: use manager = 'builtin' to "
                     "restart others");
  return RSM_OK;
}

/* As the system spelled it: nobody says that it takes the other letter case. */
static bool read_key(const wchar_t *wide, char *key) {
  for (size_t i = 0; i < RSM_KEY_LENGTH; i++) {
    wchar_t c = wide[i];
    bool is_hex = (c >= L'0' && c <= L'9') || (c >= L'a' && c <= L'f') || (c >= L'A' && c <= L'F');
    if (!is_hex) return false;
    key[i] = (char)c;
  }
  key[RSM_KEY_LENGTH] = '\0';
  return wide[RSM_KEY_LENGTH] == 0;
}

static rsm_status start(const rsm_start_options *options, void **ret_state, char *ret_key, rsm_error *reterr) {
  RSM_CLEAN(clean_session) rsm__system *session = NULL;
  wchar_t key[KEY_UNITS + 1] = {0}; /* Windows does not end it */
  rsm_status status = check_options(options, reterr);
  if (status == RSM_OK) status = new_session(true, &session, reterr);
  if (status == RSM_OK) status = rsm__plan_copy_stoppable(options, &session->stoppable, reterr);
  if (status != RSM_OK) return status;
  session->stoppable_count = options->stoppable_count;
  DWORD code = session->native->RmStartSession(&session->handle, 0, key);
  if (code != ERROR_SUCCESS) return rsm__native_fail(reterr, code, "RmStartSession", NULL);
  session->open = true;
  if (!read_key(key, session->key))
    return rsm__fail(reterr, RSM_GEN_FAILURE, "RmStartSession",
                     "the system's Restart Manager has given no session key of %d hex digits", RSM_KEY_LENGTH);
  memcpy(ret_key, session->key, sizeof session->key);
  *ret_state = session;
  session = NULL;
  return RSM_OK;
}

static DWORD join_spelled(rsm__system *session, const char *key, bool upper) {
  wchar_t wide[KEY_UNITS] = {0};
  for (size_t i = 0; i < RSM_KEY_LENGTH; i++) wide[i] = (wchar_t)(upper && key[i] >= 'a' ? key[i] - 'a' + 'A' : key[i]);
  DWORD code = session->native->RmJoinSession(&session->handle, wide);
  if (code == ERROR_SUCCESS) session->open = read_key(wide, session->key);
  return code;
}

static rsm_status join(const char *key, void **ret_state, rsm_error *reterr) {
  RSM_CLEAN(clean_session) rsm__system *session = NULL;
  rsm_status status = new_session(false, &session, reterr);
  if (status != RSM_OK) return status;
  DWORD code = join_spelled(session, key, false);
  if (code == ERROR_SESSION_CREDENTIAL_CONFLICT) code = join_spelled(session, key, true);
  if (code != ERROR_SUCCESS) return rsm__native_fail(reterr, code, "RmJoinSession", NULL);
  *ret_state = session;
  session = NULL;
  return RSM_OK;
}

static rsm_status adopt(const char *key, void **ret_state, rsm_error *reterr) {
  (void)key;
  (void)ret_state;
  return rsm__fail(reterr, RSM_CREDENTIAL_CONFLICT, NULL,
                   "no session with that key can be adopted; the system's Restart Manager keeps nothing of a session "
                   "whose primary installer is gone");
}

static rsm_status sessions(rsm_sessions *list, rsm_error *reterr) {
  (void)list; /* the system tells nobody of its sessions */
  (void)reterr;
  return RSM_OK;
}

/* ---- Ending ------------------------------------------------------------------------------------------------------ */

static bool is_forked(const void *state) {
  (void)state;
  return false; /* Windows has no such thing */
}

bool rsm__system_owes(const void *state) {
  const rsm__system *session = state;
  return session->may_owe || (session->stopped && session->stopped->count > 0);
}

/* There is no store from which somebody else could bring back what was stopped. The callback's one place is not needed.
 */
static void bring_back(rsm__system *session) {
  DWORD code = session->native->RmRestart(session->handle, 0, NULL);
  if (code != ERROR_SUCCESS && code != ERROR_FAIL_RESTART) return;
  session->may_owe = false;
  session->stopped = rsm_list_free(session->stopped);
}

static rsm_status end(void *state, rsm_end_how how, rsm_error *reterr) {
  rsm__system *session = state;
  if (how == RSM_END_LEAVE_ABANDONED && rsm__system_owes(session)) bring_back(session);
  session->open = false;
  DWORD code = session->native->RmEndSession(session->handle);
  bool gone = code == ERROR_INVALID_HANDLE || code == ERROR_SESSION_CREDENTIAL_CONFLICT;
  if (code == ERROR_SUCCESS || (gone && !session->primary)) return RSM_OK; /* the primary was faster */
  return rsm__native_fail(reterr, code, "RmEndSession", NULL);
}

static rsm_status run(void *state, const char *const *argv, size_t argc, rsm_exit *ret_exit, rsm_error *reterr) {
  const rsm__system *session = state;
  rsm_exit result;
  rsm_status status = rsm__launch_run(argv, argc, RSM_KEY_VARIABLE, session->key, &result, reterr);
  if (status != RSM_OK) return status;
  if (ret_exit) *ret_exit = result;
  if (result.code == 0) return RSM_OK;
  return rsm__fail(reterr, RSM_INSTALL_FAILURE, argv[0], "it ended with exit code %d", result.code);
}

const rsm__manager rsm__system_manager = {
    .name = "system",
    .preference = preference,
    .available = available,
    .environment = rsm__process_environment,
    .start = start,
    .join = join,
    .adopt = adopt,
    .sessions = sessions,
    .is_forked = is_forked,
    .owes_restart = rsm__system_owes,
    .end = end,
    .free = free_session,
    .enroll = rsm__system_enroll,
    .resources = rsm__system_resources,
    .add_filter = rsm__system_add_filter,
    .remove_filter = rsm__system_remove_filter,
    .filters = rsm__system_filters,
    .run = run,
    .begin = rsm__system_begin,
    .cancel = rsm__system_cancel,
    .op_step = rsm__system_step,
    .op_percent = rsm__system_percent,
    .op_status = rsm__system_status,
    .op_fd = rsm__system_fd,
    .op_take_list = rsm__system_take_list,
    .op_take_report = rsm__system_take_report,
    .op_free = rsm__system_free_op,
};
