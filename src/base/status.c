/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "rsm.h"

static const struct {
  const char *code;
  const char *message;
  int number;
} table[] = {
#define X(name, code, number, message) [RSM_##name] = {code, message, number},
    RSM_STATUS_MAP(X)
#undef X
};

static unsigned known(rsm_status status) {
  return (unsigned)status < RSM_COUNT(table) ? (unsigned)status : RSM_GEN_FAILURE;
}

const char *rsm_status_code(rsm_status status) {
  return table[known(status)].code;
}

int rsm_status_number(rsm_status status) {
  return table[known(status)].number;
}

const char *rsm_status_message(rsm_status status) {
  return table[known(status)].message;
}

const char *rsm_version(void) {
  return RSM_VERSION;
}
