/* stop_member.c: what is done to one application that a shutdown stops: to a process through its handle, to a service
 * through its manager. SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "builtin/stop.h"
#include "os/clock.h"
#include "os/wait.h"

static bool is_service(const rsm__member *member) {
  return member->entry->service.name != NULL;
}

/* A service that its manager has forgotten has ended, as a process has that is gone. */
static rsm_status ended_if_unknown(rsm_status status) {
  return status == RSM_NO_SUCH_SERVICE ? RSM_NOT_FOUND : status;
}

void rsm__member_release(rsm__round *round, rsm__member *member) {
  if (!member->handle) return;
  member->handle = rsm__process_close(member->handle);
  round->open_handles--;
}

/* Makes room for one more handle by closing another member's: that one is found again by its identity. */
static void make_room(rsm__round *round, const rsm__member *needy) {
  for (size_t i = 0; i < round->count; i++) {
    rsm__member *member = &round->members[i];
    if (member == needy || !member->handle) continue;
    rsm__member_release(round, member);
    return;
  }
}

static rsm_status hold(rsm__round *round, rsm__member *member, bool steal, rsm_error *reterr) {
  if (member->handle) return rsm__process_alive(member->handle) ? RSM_OK : RSM_NOT_FOUND;
  if (round->open_handles >= round->budget) {
    if (!steal) return RSM_BUSY;
    make_room(round, member);
  }
  rsm_status status = rsm__process_open(&member->entry->app.process, &member->handle, reterr);
  if (status == RSM_BUSY && steal && round->open_handles > 0) {
    make_room(round, member);
    status = rsm__process_open(&member->entry->app.process, &member->handle, reterr);
  }
  if (status != RSM_OK) return status;
  rsm__process_within(member->handle, round->op->session->lookup, round->op->task);
  round->open_handles++;
  return RSM_OK;
}

rsm_status rsm__member_reach(rsm__round *round, rsm__member *member, bool steal, rsm_error *reterr) {
  if (!is_service(member)) return hold(round, member, steal, reterr);
  rsm__service_activity activity;
  rsm_status status = rsm__service_look(round->op->services, &member->entry->service, &activity, reterr);
  if (status == RSM_OK && activity == RSM__SERVICE_DOWN) return RSM_NOT_FOUND;
  return ended_if_unknown(status);
}

/* Its company: whoever is to be stopped with it. */
static rsm_status ask_process(const rsm__round *round, const rsm__member *member, rsm_error *reterr) {
  RSM_CLEAN_FREE rsm_process *company = rsm__calloc(round->count, sizeof *company);
  size_t count = 0;
  if (!company) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < round->count; i++)
    if (!is_service(&round->members[i])) company[count++] = round->members[i].entry->app.process;
  return rsm__process_ask(member->handle, company, count, reterr);
}

rsm_status rsm__member_ask(const rsm__round *round, const rsm__member *member, rsm_error *reterr) {
  if (!is_service(member)) return ask_process(round, member, reterr);
  return ended_if_unknown(rsm__service_stop(round->op->services, &member->entry->service, reterr));
}

rsm_status rsm__member_answer(const rsm__member *member, rsm_error *reterr) {
  return member->handle ? rsm__process_answer(member->handle, reterr) : RSM_OK;
}

void rsm__member_proceed(const rsm__member *member) {
  if (member->handle) rsm__process_proceed(member->handle);
}

bool rsm__member_withdraw(const rsm__member *member) {
  return member->handle && rsm__process_withdraw(member->handle);
}

rsm_status rsm__member_kill(const rsm__round *round, const rsm__member *member, rsm_error *reterr) {
  if (!is_service(member)) return rsm__process_kill(member->handle, reterr);
  return ended_if_unknown(rsm__service_kill(round->op->services, &member->entry->service, reterr));
}

bool rsm__member_goes_down(const rsm__round *round, const rsm__member *member) {
  rsm__service_activity activity;
  if (!is_service(member) || !member->asked) return false;
  rsm_status status = rsm__service_look(round->op->services, &member->entry->service, &activity, NULL);
  return status != RSM_OK || activity != RSM__SERVICE_RUNNING;
}

static const char *words_of(const rsm__round *round, const rsm__member *member) {
  rsm__service_activity activity = RSM__SERVICE_RUNNING;
  if (member->killed) return "it was killed but does not end: it waits for the system";
  if (!is_service(member)) return "it did not stop";
  if (rsm__service_look(round->op->services, &member->entry->service, &activity, NULL) == RSM_OK &&
      activity == RSM__SERVICE_REMAINS)
    return "its manager has stopped it, but left some of its processes";
  return "it did not stop, and its manager goes on stopping it";
}

void rsm__member_blame(const rsm__round *round, const rsm__member *member, rsm_error *ret_why) {
  char subject[240];
  const rsm_app *app = &member->entry->app;
  if (is_service(member))
    snprintf(subject, sizeof subject, "%.200s", member->entry->service.name);
  else
    snprintf(subject, sizeof subject, "pid %u", (unsigned)app->process.pid);
  const char *words = words_of(round, member);
  if (member->killed)
    rsm__fail(ret_why, RSM_TIMEOUT, subject, "%s", words);
  else
    rsm__fail(ret_why, RSM_TIMEOUT, subject, "%s within %.1f s", words, member->entry->grace_ms / 1000.0);
}

static rsm_status wait_for_processes(rsm__round *round, size_t from, size_t to, uint64_t until, rsm_error *reterr) {
  size_t count = to - from;
  RSM_CLEAN_FREE rsm__process **handles = rsm__calloc(count, sizeof *handles);
  if (!handles) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < count; i++)
    if (!round->members[from + i].settled) handles[i] = round->members[from + i].handle;
  rsm__wait_any(handles, count, until, round->op->task, NULL);
  return RSM_OK;
}

rsm_status rsm__members_wait(rsm__round *round, size_t from, size_t to, uint32_t wait_ms, rsm_error *reterr) {
  uint64_t until = rsm__clock_ms() + wait_ms;
  if (!is_service(&round->members[from])) return wait_for_processes(round, from, to, until, reterr);
  rsm__services_wait(round->op->services, until); /* a rank has no processes besides services */
  return RSM_OK;
}
