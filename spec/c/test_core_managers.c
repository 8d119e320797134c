/* test_core_managers.c: which manager a session gets. Three scripted ones stand in the place of the build's own.
 * SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "check.h"
#include "core/manager.h"

typedef struct scripted {
  int preference;
  bool available;
  rsm_status start, join;
  unsigned starts, joins;
} scripted;

static scripted low, high, other; /* "fake", "system", "builtin" */

static rsm_status start_as(scripted *s, void **ret_state, char *ret_key, rsm_error *reterr) {
  s->starts++;
  if (s->start != RSM_OK) return rsm__fail(reterr, s->start, NULL, "words of %d", s->preference);
  memset(ret_key, 'a', RSM_KEY_LENGTH);
  ret_key[RSM_KEY_LENGTH] = '\0';
  *ret_state = s;
  return RSM_OK;
}

static rsm_status join_as(scripted *s, void **ret_state, rsm_error *reterr) {
  s->joins++;
  if (s->join != RSM_OK) return rsm__fail(reterr, s->join, NULL, "words of %d", s->preference);
  *ret_state = s;
  return RSM_OK;
}

static bool available_as(const scripted *s, rsm_error *reterr) {
  if (!s->available) rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL, "%d is not there", s->preference);
  return s->available;
}

static const char *environment(const char *name) {
  (void)name;
  return NULL;
}
static bool is_forked(const void *state) {
  (void)state;
  return false;
}
static rsm_status end(void *state, rsm_end_how how, rsm_error *reterr) {
  (void)state;
  (void)how;
  (void)reterr;
  return RSM_OK;
}
static void free_state(void *state) {
  (void)state;
}

#define MANAGER(scripted_one, its_name)                                                                                \
  static int scripted_one##_preference(void) {                                                                         \
    return (scripted_one).preference;                                                                                  \
  }                                                                                                                    \
  static bool scripted_one##_available(rsm_error *reterr) {                                                            \
    return available_as(&(scripted_one), reterr);                                                                      \
  }                                                                                                                    \
  static rsm_status scripted_one##_start(const rsm_start_options *options, void **ret_state, char *ret_key,            \
                                         rsm_error *reterr) {                                                          \
    (void)options;                                                                                                     \
    return start_as(&(scripted_one), ret_state, ret_key, reterr);                                                      \
  }                                                                                                                    \
  static rsm_status scripted_one##_join(const char *key, void **ret_state, rsm_error *reterr) {                        \
    (void)key;                                                                                                         \
    return join_as(&(scripted_one), ret_state, reterr);                                                                \
  }                                                                                                                    \
  static const rsm__manager scripted_one##_manager = {.name = (its_name),                                              \
                                                      .preference = scripted_one##_preference,                         \
                                                      .available = scripted_one##_available,                           \
                                                      .environment = environment,                                      \
                                                      .start = scripted_one##_start,                                   \
                                                      .join = scripted_one##_join,                                     \
                                                      .is_forked = is_forked,                                          \
                                                      .end = end,                                                      \
                                                      .free = free_state}

MANAGER(low, "fake");
MANAGER(high, "system");
MANAGER(other, "builtin");
const rsm__manager *const rsm__managers[] = {&low_manager, &other_manager, &high_manager, NULL};

static void reset(void) {
  low = (scripted){.preference = 0, .available = true};
  other = (scripted){.preference = 10, .available = true};
  high = (scripted){.preference = 20, .available = true};
}

static rsm_status start(const char *name, rsm_error *reterr) {
  rsm_session *session;
  rsm_status status = rsm_session_start(&(rsm_start_options){.manager = name}, &session, reterr);
  if (status == RSM_OK) rsm_session_free(session);
  return status;
}

static void test_best(void) {
  reset();
  CHECK_INT(start(NULL, NULL), RSM_OK);
  CHECK_INT(high.starts, 1);
  CHECK_INT(low.starts + other.starts, 0);
  high.available = false;
  CHECK_INT(start(NULL, NULL), RSM_OK);
  CHECK_INT(other.starts, 1);
  CHECK_INT(low.starts, 0);
}

static void test_named(void) {
  rsm_error error;
  reset();
  CHECK_INT(start("fake", &error), RSM_OK);
  CHECK_INT(low.starts, 1);
  low.available = false;
  CHECK_INT(start("fake", &error), RSM_NOT_SUPPORTED);
  CHECK_TEXT(error.detail, "0 is not there");
  CHECK_INT(start("nonsense", &error), RSM_BAD_ARGUMENTS);
  high.start = RSM_NOT_SUPPORTED;
  CHECK_INT(start("system", &error), RSM_NOT_SUPPORTED); /* nobody else is taken instead */
  CHECK_TEXT(error.detail, "words of 20");
  CHECK_INT(other.starts, 0);
}

/* What the best one never does the next one may. */
static void test_next(void) {
  rsm_error error;
  reset();
  high.start = RSM_NOT_SUPPORTED;
  CHECK_INT(start(NULL, &error), RSM_OK);
  CHECK_INT(high.starts, 1);
  CHECK_INT(other.starts, 1);
  CHECK_INT(low.starts, 0);
  other.start = low.start = RSM_NOT_SUPPORTED;
  CHECK_INT(start(NULL, &error), RSM_NOT_SUPPORTED);
  CHECK_INT(low.starts, 1);
  CHECK_TEXT(error.detail, "words of 0");
  high.start = RSM_ACCESS_DENIED; /* but a failure is a failure */
  CHECK_INT(start(NULL, &error), RSM_ACCESS_DENIED);
  CHECK_INT(low.starts, 1);
}

static void test_none(void) {
  rsm_error error;
  reset();
  low.available = other.available = high.available = false;
  CHECK_INT(start(NULL, &error), RSM_NOT_SUPPORTED);
  CHECK_TEXT(error.detail, "no manager works on this system");
  rsm_session *session;
  CHECK_INT(rsm_session_join("0123456789abcdef0123456789abcdef", &session, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_INT(error.status, RSM_CREDENTIAL_CONFLICT);
}

/* Each is asked for the key until one has it; one that is not there has no say. */
static void test_join(void) {
  static const char key[] = "0123456789ABCDEF0123456789abcdef";
  rsm_session *session;
  rsm_error error;
  reset();
  low.join = RSM_CREDENTIAL_CONFLICT;
  CHECK_INT(rsm_session_join(key, &session, &error), RSM_OK);
  CHECK_TEXT(rsm_session_key(session), "0123456789abcdef0123456789abcdef");
  rsm_session_free(session);
  CHECK_INT(other.joins, 1);
  CHECK_INT(high.joins, 0);
  other.join = RSM_CREDENTIAL_CONFLICT;
  high.available = false;
  CHECK_INT(rsm_session_join(key, &session, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_INT(error.status, RSM_CREDENTIAL_CONFLICT);
  CHECK_TEXT(error.detail, "words of 10");
  low.join = RSM_MAX_SESSIONS; /* is not "I do not have it" */
  CHECK_INT(rsm_session_join(key, &session, &error), RSM_MAX_SESSIONS);
}

static const check_test tests[] = {CHECK_TEST(test_best), CHECK_TEST(test_named), CHECK_TEST(test_next),
                                   CHECK_TEST(test_none), CHECK_TEST(test_join)};

int main(int argc, char **argv) {
  return check_run(tests, sizeof tests / sizeof *tests, argc, argv);
}
