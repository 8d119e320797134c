/* session.c: sessions as callers see them: arguments, roles and states are checked here, for every manager.
 * SPDX-License-Identifier: MIT */
#include "core/session.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

enum { NAME_LIMIT = 255 };

/* Every name that some build knows; a script that names another has a typo. */
static const char *const known_managers[] = {"builtin", "system", "fake"};

bool rsm_manager_known(const char *name) {
  for (size_t i = 0; i < sizeof known_managers / sizeof *known_managers; i++)
    if (strcmp(name, known_managers[i]) == 0) return true;
  return false;
}

static rsm_status find_named(const char *name, const rsm__manager **ret_manager, rsm_error *reterr) {
  if (!rsm_manager_known(name))
    return rsm__fail(reterr, RSM_BAD_ARGUMENTS, name, "unknown manager; there are builtin, system and fake");
  for (const rsm__manager *const *m = rsm__managers; *m; m++) {
    if (strcmp(name, (*m)->name) != 0) continue;
    if (!(*m)->available(reterr)) return RSM_NOT_SUPPORTED;
    *ret_manager = *m;
    return RSM_OK;
  }
  return rsm__fail(reterr, RSM_NOT_SUPPORTED, name, "this manager is not part of this build");
}

/* The most preferred one that is available, of those that come after `last` (NULL: of all). NULL: none. */
static const rsm__manager *find_next(const rsm__manager *last) {
  const rsm__manager *best = NULL;
  for (const rsm__manager *const *m = rsm__managers; *m; m++) {
    if (last && (*m)->preference() >= last->preference()) continue;
    if ((!best || (*m)->preference() > best->preference()) && (*m)->available(NULL)) best = *m;
  }
  return best;
}

static rsm_session *new_session(rsm_role role) {
  rsm_session *session = rsm__calloc(1, sizeof *session);
  if (session) session->role = role;
  return session;
}

static rsm_status check_start_options(const rsm_start_options *options, rsm_error *reterr) {
  if (options->name && strlen(options->name) > NAME_LIMIT)
    return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "the session's name is longer than %d bytes", NAME_LIMIT);
  for (size_t i = 0; i < options->stoppable_count; i++)
    if (options->stoppable[i].pid == 0) return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "stoppable names no process");
  return RSM_OK;
}

/* With the manager that was asked for, else with the best one that can do what the options say. */
static rsm_status start_with(const rsm_start_options *options, rsm_session *session, rsm_error *reterr) {
  if (options->manager) {
    rsm_status status = find_named(options->manager, &session->manager, reterr);
    return status == RSM_OK ? session->manager->start(options, &session->state, session->key, reterr) : status;
  }
  session->manager = find_next(NULL);
  if (!session->manager) return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL, "no manager works on this system");
  for (;;) {
    rsm_status status = session->manager->start(options, &session->state, session->key, reterr);
    const rsm__manager *next = status == RSM_NOT_SUPPORTED ? find_next(session->manager) : NULL;
    if (!next) return status;
    session->manager = next;
  }
}

rsm_status rsm_session_start(const rsm_start_options *options, rsm_session **ret_session, rsm_error *reterr) {
  static const rsm_start_options defaults;
  if (!options) options = &defaults;
  rsm_status status = check_start_options(options, reterr);
  if (status != RSM_OK) return status;
  rsm_session *session = new_session(RSM_PRIMARY);
  if (!session) return rsm__fail_memory(reterr);
  status = start_with(options, session, reterr);
  if (status != RSM_OK) {
    rsm__free(session);
    return status;
  }
  session->open = true;
  *ret_session = session;
  return RSM_OK;
}

/* Lower-case copy; false unless it is exactly 32 hex digits. */
static bool normal_key(const char *key, char *ret_key) {
  for (size_t i = 0; i < RSM_KEY_LENGTH; i++) {
    char c = key[i];
    if (c >= 'A' && c <= 'F') c = (char)(c - 'A' + 'a');
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
    ret_key[i] = c;
  }
  ret_key[RSM_KEY_LENGTH] = '\0';
  return key[RSM_KEY_LENGTH] == '\0';
}

/* join and adopt: the first manager that has the session. */
static rsm_status enter(const char *key, bool adopt, rsm_session **ret_session, rsm_error *reterr) {
  rsm_session *session = new_session(adopt ? RSM_PRIMARY : RSM_SECONDARY);
  if (!session) return rsm__fail_memory(reterr);
  rsm_status status = RSM_CREDENTIAL_CONFLICT;
  rsm__fail(reterr, status, NULL, "there is no session with that key");
  if (!normal_key(key, session->key))
    rsm__fail(reterr, status, NULL, "the session key is malformed: it has %d hex digits", RSM_KEY_LENGTH);
  else
    for (const rsm__manager *const *m = rsm__managers; *m && status == RSM_CREDENTIAL_CONFLICT; m++) {
      if (!(*m)->available(NULL)) continue; /* the others' words count */
      session->manager = *m;
      status = (adopt ? (*m)->adopt : (*m)->join)(session->key, &session->state, reterr);
    }
  if (status != RSM_OK) {
    rsm__free(session);
    return status;
  }
  session->open = true;
  *ret_session = session;
  return RSM_OK;
}

rsm_status rsm_session_join(const char *key, rsm_session **ret_session, rsm_error *reterr) {
  for (const rsm__manager *const *m = rsm__managers; *m && !key; m++) key = (*m)->environment(RSM_KEY_VARIABLE);
  if (!key)
    return rsm__fail(reterr, RSM_ENVVAR_NOT_FOUND, RSM_KEY_VARIABLE,
                     "no session key was given and the variable is not set");
  return enter(key, false, ret_session, reterr);
}

rsm_status rsm_session_adopt(const char *key, rsm_session **ret_session, rsm_error *reterr) {
  if (!key) return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "no session key was given");
  return enter(key, true, ret_session, reterr);
}

const char *rsm_session_key(const rsm_session *session) {
  return session->key;
}

rsm_role rsm_session_role(const rsm_session *session) {
  return session->role;
}

static bool forked(const rsm_session *session) {
  return session->manager->is_forked(session->state);
}

bool rsm_session_is_open(const rsm_session *session) {
  return session->open && !forked(session);
}

bool rsm_session_owes_restart(const rsm_session *session) {
  return rsm_session_is_open(session) && session->role == RSM_PRIMARY && session->manager->owes_restart(session->state);
}

rsm_status rsm__session_guard(const rsm_session *session, bool primary_only, rsm_error *reterr) {
  if (!session->open) return rsm__fail(reterr, RSM_INVALID_HANDLE, NULL, "the session is closed");
  if (forked(session))
    return rsm__fail(reterr, RSM_INVALID_HANDLE, NULL, "the session belongs to the process that forked this one");
  if (primary_only && session->role != RSM_PRIMARY)
    return rsm__fail(reterr, RSM_CREDENTIAL_CONFLICT, NULL, "only the primary installer may do this");
  if (session->op) return rsm__fail(reterr, RSM_BUSY, NULL, NULL);
  return RSM_OK;
}

rsm_status rsm_session_end(rsm_session *session, rsm_end_how how, rsm_error *reterr) {
  if (!session->open) return rsm__fail(reterr, RSM_INVALID_HANDLE, NULL, "the session is closed");
  if (forked(session)) {
    session->open = false;
    return RSM_OK;
  }
  if (session->op) { /* settle it; the caller still owns the object, which from now on is done */
    rsm_op_cancel(session->op);
    rsm_event event;
    while (rsm_op_step(session->op, UINT32_MAX, &event) == RSM_PENDING) continue;
  }
  session->open = false;
  return session->manager->end(session->state, how, reterr);
}

rsm_session *rsm_session_free(rsm_session *session) {
  if (!session) return NULL;
  if (session->open) rsm_session_end(session, RSM_END_LEAVE_ABANDONED, NULL);
  session->manager->free(session->state);
  rsm__free(session);
  return NULL;
}

rsm_status rsm_sessions_list(rsm_sessions **ret_sessions, rsm_error *reterr) {
  rsm_sessions *sessions = rsm__calloc(1, sizeof *sessions);
  if (!sessions) return rsm__fail_memory(reterr);
  rsm_status status = RSM_OK;
  for (const rsm__manager *const *m = rsm__managers; *m && status == RSM_OK; m++)
    if ((*m)->available(NULL)) status = (*m)->sessions(sessions, reterr);
  if (status == RSM_OK)
    *ret_sessions = sessions;
  else
    rsm_sessions_free(sessions);
  return status;
}

static rsm_status check_resources(const rsm_resources *resources, rsm_error *reterr) {
  for (size_t i = 0; i < resources->file_count; i++)
    if (!resources->files[i] || !*resources->files[i])
      return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "file %zu is an empty path", i + 1);
  for (size_t i = 0; i < resources->process_count; i++)
    if (resources->processes[i].pid == 0)
      return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "process %zu has no pid", i + 1);
  for (size_t i = 0; i < resources->service_count; i++)
    if (!resources->services[i] || !*resources->services[i])
      return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "service %zu has an empty name", i + 1);
  return RSM_OK;
}

rsm_status rsm_session_register(rsm_session *session, const rsm_resources *resources, rsm_error *reterr) {
  rsm_status status = rsm__session_guard(session, false, reterr);
  if (status == RSM_OK) status = check_resources(resources, reterr);
  if (status == RSM_OK) status = session->manager->enroll(session->state, resources, reterr);
  return status;
}

rsm_status rsm_session_resources(rsm_session *session, rsm_resource_list **ret_list, rsm_error *reterr) {
  rsm_status status = rsm__session_guard(session, true, reterr);
  if (status != RSM_OK) return status;
  rsm_resource_list *list = rsm__resource_list_new();
  status = list ? session->manager->resources(session->state, list, reterr) : rsm__fail_memory(reterr);
  if (status == RSM_OK)
    *ret_list = list;
  else
    rsm_resource_list_free(list);
  return status;
}

rsm_status rsm_session_add_filter(rsm_session *session, const rsm_filter *filter, rsm_error *reterr) {
  rsm_status status = rsm__session_guard(session, true, reterr);
  if (status == RSM_OK) status = rsm__filter_check(filter, true, reterr);
  if (status == RSM_OK) status = session->manager->add_filter(session->state, filter, reterr);
  return status;
}

rsm_status rsm_session_remove_filter(rsm_session *session, const rsm_filter *filter, rsm_error *reterr) {
  rsm_status status = rsm__session_guard(session, true, reterr);
  if (status == RSM_OK) status = rsm__filter_check(filter, false, reterr);
  if (status == RSM_OK) status = session->manager->remove_filter(session->state, filter, reterr);
  return status;
}

rsm_status rsm_session_filters(rsm_session *session, rsm_filter_list **ret_list, rsm_error *reterr) {
  rsm_status status = rsm__session_guard(session, true, reterr);
  return status == RSM_OK ? session->manager->filters(session->state, ret_list, reterr) : status;
}

rsm_status rsm_session_run(rsm_session *session, const char *const *argv, size_t argc, rsm_exit *ret_exit,
                           rsm_error *reterr) {
  rsm_status status = rsm__session_guard(session, false, reterr);
  if (status != RSM_OK) return status;
  if (argc == 0 || !argv[0] || !*argv[0])
    return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "there is no program to run");
  return session->manager->run(session->state, argv, argc, ret_exit, reterr);
}

rsm_status rsm_session_cancel(rsm_session *session, rsm_error *reterr) {
  /* From any thread: looks at nothing that another call changes, but at what stays for the session's life. */
  if (session->role != RSM_PRIMARY)
    return rsm__fail(reterr, RSM_CREDENTIAL_CONFLICT, NULL, "only the primary installer may do this");
  session->manager->cancel(session->state);
  return RSM_OK;
}
