/* self.c: what a process asks about itself and others without a session. SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/holders.h"
#include "os/process.h"
#include "os/registration.h"

rsm_status rsm_process_find(uint32_t pid, rsm_process *ret_process, rsm_error *reterr) {
  rsm__process *process;
  rsm_status status = rsm__process_open(&(rsm_process){.pid = pid}, &process, reterr);
  if (status != RSM_OK) return status;
  *ret_process = *rsm__process_id(process);
  rsm__process_close(process);
  return RSM_OK;
}

rsm_status rsm_self(rsm_self_info *ret_self, rsm_error *reterr) {
  RSM_CLEAN_PROCESS rsm__process *process = NULL;
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__process_facts facts;
  rsm_status status = rsm__process_open(&(rsm_process){.pid = rsm__process_self()}, &process, reterr);
  if (status == RSM_OK) status = rsm__process_facts_get(process, &arena, &facts, reterr);
  if (status != RSM_OK) return status;
  ret_self->process = *rsm__process_id(process);
  ret_self->parent = facts.parent;
  snprintf(ret_self->exe, sizeof ret_self->exe, "%s", facts.exe ? facts.exe : "");
  return RSM_OK;
}

void rsm_scanner(rsm_scanner_info *ret_info) {
  rsm__holders_scanner(ret_info);
}

rsm_status rsm_register_restart(const char *const *args, size_t count, uint32_t flags, rsm_error *reterr) {
  return rsm__registration_set(args, count, flags, reterr);
}

rsm_status rsm_unregister_restart(rsm_error *reterr) {
  return rsm__registration_clear(reterr);
}

struct settings {
  rsm_restart_settings public;
  rsm__arena arena;
};

rsm_restart_settings *rsm_restart_settings_free(rsm_restart_settings *settings) {
  if (!settings) return NULL;
  struct settings *whole = (struct settings *)settings; /* its first member */
  rsm__arena_done(&whole->arena);
  rsm__free(whole);
  return NULL;
}

rsm_status rsm_restart_settings_get(const rsm_process *id, rsm_restart_settings **ret_settings, rsm_error *reterr) {
  RSM_CLEAN_PROCESS rsm__process *process = NULL;
  rsm__registration registration;
  rsm_status status = rsm__process_open(id, &process, reterr);
  if (status != RSM_OK) return status;
  struct settings *settings = rsm__calloc(1, sizeof *settings);
  if (!settings) return rsm__fail_memory(reterr);
  status = rsm__registration_get(process, &settings->arena, &registration, reterr);
  if (status != RSM_OK) {
    rsm_restart_settings_free(&settings->public);
    return status;
  }
  settings->public = (rsm_restart_settings){registration.args, registration.arg_count, registration.flags};
  *ret_settings = &settings->public;
  return RSM_OK;
}
