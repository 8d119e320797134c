/* test_service.c: services by way of their manager: real ones, made for the test and removed again.
 * SPDX-License-Identifier: MIT */
#include "made_service.h"

#include "base/cleanup.h"
#include "os/clock.h"
#include "os/task.h"
#include "os/windows/critical_services.h"
#include "os/windows/service_links.h"
#include "os/windows/wide.h"

/* ---- The library's side ---- */

static rsm_error problem;
static rsm__arena arena;

static rsm__services *open_services(rsm__task *task) {
  rsm__services *services = NULL;
  CHECK_INT(rsm__services_new(task, &services, &problem), RSM_OK);
  return services;
}

static void must(rsm_status status) {
  char words[384];
  if (status != RSM_OK) fprintf(stderr, "%s\n", rsm_error_format(&problem, words, sizeof words));
  CHECK_INT(status, RSM_OK);
}

static rsm__service_id id_of(const made *service) {
  return (rsm__service_id){.name = service->narrow};
}

static rsm__service_activity look(rsm__services *services, const made *service) {
  rsm__service_activity activity;
  rsm__service_id id = id_of(service);
  must(rsm__service_look(services, &id, &activity, &problem));
  return activity;
}

static bool becomes(rsm__services *services, const made *service, rsm__service_activity wanted) {
  uint64_t until = rsm__clock_ms() + 10000;
  while (look(services, service) != wanted && rsm__clock_ms() < until) rsm__services_wait(services, until);
  return look(services, service) == wanted;
}

static rsm__service_facts inspect(rsm__services *services, const made *service) {
  rsm__service_facts facts;
  rsm__service_place place = {.id = id_of(service)};
  must(rsm__service_inspect(services, &place, &arena, &facts, &problem));
  return facts;
}

/* ---- Names ---- */

static void resolves_names(void) {
  rsm__services *services = open_services(NULL);
  rsm__service_id id;
  char other[64], display[128];
  made service = make_service(L"names", L"", NULL);
  must(rsm__service_resolve(services, service.narrow, &arena, &id, &problem));
  CHECK_TEXT(id.name, service.narrow);
  CHECK(!id.user_manager);
  snprintf(other, sizeof other, "%s", service.narrow);
  _strupr(other);
  must(rsm__service_resolve(services, other, &arena, &id, &problem));
  CHECK_TEXT(id.name, service.narrow); /* in the manager's own spelling */
  CHECK(rsm__service_id_equal(&id, &(rsm__service_id){.name = other}));
  snprintf(display, sizeof display, "The Test's names (%lu)", GetCurrentProcessId());
  must(rsm__service_resolve(services, display, &arena, &id, &problem));
  CHECK_TEXT(id.name, service.narrow);
  static const char *const wrong[] = {"rm-no-such-service", "a/b\\c", "", "MountMgr"};
  for (size_t i = 0; i < RSM_COUNT(wrong); i++) {
    CHECK_INT(rsm__service_resolve(services, wrong[i], &arena, &id, &problem), RSM_NO_SUCH_SERVICE);
    CHECK_TEXT(problem.subject, wrong[i]);
  }
  CHECK_TEXT(rsm__service_short_name("Spooler", &arena), "Spooler");
  rsm__services_free(services);
  unmake(&service);
}

static void finds_the_service_of_a_process(void) {
  rsm__services *services = open_services(NULL);
  rsm__service_place place;
  made service = make_service(L"process", L"", NULL);
  rsm__process *self = child_open(GetCurrentProcessId());
  must(rsm__service_of(services, self, &arena, &place, &problem)); /* the list is read before the service starts */
  CHECK_TEXT(place.id.name, NULL);
  rsm__process_close(self);
  bring_up(&service);
  rsm__process *process = child_open(state_of(&service).dwProcessId);
  must(rsm__service_of(services, process, &arena, &place, &problem));
  CHECK_TEXT(place.id.name, service.narrow);
  CHECK(place.group);
  CHECK(!place.carries_us);
  rsm__service_facts facts;
  must(rsm__service_inspect(services, &place, &arena, &facts, &problem));
  CHECK(rsm_process_equal(&facts.main, rsm__process_id(process)));
  CHECK_INT(facts.process_count, 1);
  CHECK_INT(facts.activity, RSM__SERVICE_RUNNING);
  CHECK(strstr(facts.description, "The Test's process"));
  CHECK_TEXT(facts.critical, NULL);
  CHECK_TEXT(facts.refusal, NULL);
  CHECK_TEXT(facts.obstacle, NULL);
  CHECK(!facts.carries_us && !facts.application);
  CHECK_INT(facts.link_count, 0);
  /* Once it runs in another process, that place is no place any more. */
  rsm__service_id id = id_of(&service);
  must(rsm__service_stop(services, &id, &problem));
  CHECK(becomes(services, &service, RSM__SERVICE_DOWN));
  bring_up(&service);
  CHECK_INT(rsm__service_inspect(services, &place, &arena, &facts, &problem), RSM_NO_SUCH_SERVICE);
  rsm__process_close(process);
  rsm__services_free(services);
  unmake(&service);
}

/* ---- Stopping and starting ---- */

static void stops_and_starts(void) {
  rsm__services *services = open_services(NULL);
  made service = make_service(L"slow", L"slow 0.5", NULL);
  rsm__service_id id = id_of(&service);
  rsm_process main = {0};
  CHECK_INT(look(services, &service), RSM__SERVICE_DOWN);
  must(rsm__service_start(services, &id, &main, &problem));
  CHECK_INT(main.pid, state_of(&service).dwProcessId);
  CHECK(main.start_time != 0);
  CHECK_INT(look(services, &service), RSM__SERVICE_RUNNING);
  rsm_process again = {0};
  must(rsm__service_start(services, &id, &again, &problem)); /* up already */
  CHECK(rsm_process_equal(&main, &again));
  must(rsm__service_stop(services, &id, &problem));
  CHECK(becomes(services, &service, RSM__SERVICE_STOPPING));
  must(rsm__service_start(services, &id, &again, &problem)); /* waits for the stop's end first */
  CHECK(again.pid && !rsm_process_equal(&main, &again));
  CHECK_INT(look(services, &service), RSM__SERVICE_RUNNING);
  must(rsm__service_stop(services, &id, &problem));
  CHECK(becomes(services, &service, RSM__SERVICE_DOWN));
  must(rsm__service_stop(services, &id, &problem)); /* down already */
  CHECK_INT(rsm__service_kill(services, &id, &problem), RSM_NO_SUCH_SERVICE);
  rsm__services_free(services);
  unmake(&service);
}

static void tells_why_a_start_failed(void) {
  rsm__services *services = open_services(NULL);
  made missing = make_service(L"missing", L"open C:\\no\\such\\file", NULL);
  rsm__service_id id = id_of(&missing);
  rsm_process main;
  CHECK_INT(rsm__service_start(services, &id, &main, &problem), RSM_GEN_FAILURE);
  CHECK(strstr(problem.detail, "its start failed"));
  CHECK_INT(problem.os_code, ERROR_PATH_NOT_FOUND);
  CHECK(ChangeServiceConfigW(missing.handle, SERVICE_NO_CHANGE, SERVICE_NO_CHANGE, SERVICE_NO_CHANGE,
                             L"C:\\no\\such\\program.exe", NULL, NULL, NULL, NULL, NULL, NULL));
  CHECK_INT(rsm__service_start(services, &id, &main, &problem), RSM_GEN_FAILURE);
  CHECK(strstr(problem.detail, "its program file is missing"));
  CHECK(ChangeServiceConfigW(missing.handle, SERVICE_NO_CHANGE, SERVICE_DISABLED, SERVICE_NO_CHANGE, NULL, NULL, NULL,
                             NULL, NULL, NULL, NULL));
  rsm__service_facts facts = inspect(services, &missing);
  CHECK(strstr(facts.obstacle, "disabled"));
  CHECK_INT(facts.activity, RSM__SERVICE_DOWN);
  CHECK_INT(facts.main.pid, 0);
  CHECK_INT(rsm__service_start(services, &id, &main, &problem), RSM_GEN_FAILURE);
  CHECK(strstr(problem.detail, "it is disabled"));
  id.name = "rm-no-such-service";
  CHECK_INT(rsm__service_start(services, &id, &main, &problem), RSM_NO_SUCH_SERVICE);
  CHECK_INT(rsm__service_stop(services, &id, &problem), RSM_NO_SUCH_SERVICE);
  rsm__service_activity activity;
  CHECK_INT(rsm__service_look(services, &id, &activity, &problem), RSM_NO_SUCH_SERVICE);
  rsm__services_free(services);
  unmake(&missing);
}

static void knows_who_does_not_stop(void) {
  rsm__services *services = open_services(NULL);
  made deaf = make_service(L"deaf", L"deaf", NULL);
  rsm__service_id id = id_of(&deaf);
  bring_up(&deaf);
  rsm__service_facts facts = inspect(services, &deaf);
  CHECK(strstr(facts.refusal, "does not accept to be stopped"));
  CHECK(rsm__service_stop(services, &id, &problem) != RSM_OK || look(services, &deaf) != RSM__SERVICE_DOWN);
  rsm__process *process = child_open(state_of(&deaf).dwProcessId);
  must(rsm__service_kill(services, &id, &problem));
  for (int i = 0; i < 500 && rsm__process_alive(process); i++) Sleep(10);
  CHECK(!rsm__process_alive(process));
  CHECK(becomes(services, &deaf, RSM__SERVICE_DOWN));
  rsm_process again = {0};
  must(rsm__service_start(services, &id, &again, &problem)); /* whatever its manager has noticed by now */
  CHECK(again.pid && !rsm_process_equal(&again, rsm__process_id(process)));
  CHECK_INT(look(services, &deaf), RSM__SERVICE_RUNNING);
  rsm__process_close(process);
  rsm__services_free(services);
  unmake(&deaf);
}

/* Its manager says that it is down, and its process is still there, and may still hold what it held. */
static void sees_what_remains(void) {
  rsm__services *services = open_services(NULL);
  made service = make_service(L"lingers", L"linger 20", NULL);
  rsm__service_id id = id_of(&service);
  bring_up(&service);
  rsm__process *process = child_open(state_of(&service).dwProcessId);
  must(rsm__service_stop(services, &id, &problem));
  CHECK(becomes(services, &service, RSM__SERVICE_REMAINS));
  must(rsm__service_kill(services, &id, &problem));
  CHECK(becomes(services, &service, RSM__SERVICE_DOWN));
  CHECK(!rsm__process_alive(process));
  rsm__process_close(process);
  rsm__services_free(services);
  unmake(&service);
}

/* ---- Dependents ---- */

static const rsm__service_link *find_link(const rsm__service_facts *facts, const made *service) {
  for (size_t i = 0; i < facts->link_count; i++)
    if (strcmp(facts->links[i].id.name, service->narrow) == 0) return &facts->links[i];
  return NULL;
}

/* base <- middle <- top, and top needs base, too. */
static void finds_dependents(void) {
  wchar_t needs[160] = {0};
  rsm__services *services = open_services(NULL);
  made base = make_service(L"base", L"", NULL);
  wcscpy(needs, base.name);
  made middle = make_service(L"middle", L"", needs);
  wcscpy(needs + wcslen(base.name) + 1, middle.name);
  made top = make_service(L"top", L"", needs);
  bring_up(&base);
  CHECK_INT(inspect(services, &base).link_count, 0); /* they do not run */
  rsm__services_free(services);
  services = open_services(NULL);
  bring_up(&middle);
  bring_up(&top);
  rsm__service_facts facts = inspect(services, &base);
  CHECK_INT(facts.link_count, 2);
  const rsm__service_link *first = find_link(&facts, &middle), *second = find_link(&facts, &top);
  CHECK(first && second);
  CHECK_INT(first->role, RSM__SERVICE_DEPENDENT);
  CHECK_INT(first->depth, 1);
  CHECK_INT(first->base_count, 1);
  CHECK_TEXT(first->bases[0], base.narrow);
  CHECK_INT(second->depth, 2); /* by the longest way */
  CHECK_INT(second->base_count, 2);
  CHECK(strstr(second->description, "The Test's top"));
  CHECK_INT(inspect(services, &middle).link_count, 1);
  CHECK_INT(inspect(services, &top).link_count, 0);
  unmake(&top);
  unmake(&middle);
  rsm__services_free(services);
  unmake(&base);
}

/* Whoever was asked too early waits for his turn, and gets it. */
static void stops_after_its_dependents(void) {
  wchar_t needs[160] = {0};
  const wchar_t *note = child_path(L"stops");
  wchar_t words[512];
  rsm__services *services = open_services(NULL);
  DeleteFileW(note);
  swprintf(words, 512, L"note \"%ls\"", note);
  made base = make_service(L"under", words, NULL);
  wcscpy(needs, base.name);
  swprintf(words, 512, L"note \"%ls\" slow 0.7", note);
  made top = make_service(L"over", words, needs);
  bring_up(&base);
  bring_up(&top);
  rsm__service_id base_id = id_of(&base), top_id = id_of(&top);
  must(rsm__service_stop(services, &base_id, &problem));
  CHECK_INT(look(services, &base), RSM__SERVICE_STOPPING);
  CHECK_INT(state_of(&base).dwCurrentState, SERVICE_RUNNING); /* it waits for its turn */
  must(rsm__service_stop(services, &top_id, &problem));
  CHECK(becomes(services, &top, RSM__SERVICE_DOWN));
  CHECK(becomes(services, &base, RSM__SERVICE_DOWN));
  const char *text = child_read_note(note, 1000);
  const char *first = strstr(text, "stop"), *again = first ? strstr(first + 4, "stop") : NULL;
  CHECK(first && again);
  rsm__services_free(services);
  unmake(&top);
  unmake(&base);
  DeleteFileW(note);
}

/* ---- Several in one process ---- */

/* A list as no manager here would make it: Wine's gives each service a process of its own. */
static void make_list(rsm__services *services, rsm__listed_service *items, size_t count) {
  services->list.items = rsm__calloc(count, sizeof *items);
  CHECK(services->list.items);
  for (size_t i = 0; i < count; i++) {
    services->list.items[i] = items[i];
    services->list.items[i].display_name = items[i].name;
    services->list.items[i].has_edges = true;
  }
  services->list.count = services->list.capacity = count;
  services->list.taken = UINT64_MAX;
}

static void keeps_company(void) {
  static const char *const on_third[] = {"rm-third"}, *const on_first[] = {"RM-FIRST"}, *const on_user[] = {"rm-user"};
  rsm__listed_service items[] = {
      {.name = "rm-first", .state = SERVICE_RUNNING, .pid = 8, .needs = on_third, .need_count = 1},
      {.name = "rm-second", .state = SERVICE_RUNNING, .pid = 8},
      {.name = "rm-third", .state = SERVICE_RUNNING, .pid = 8},
      {.name = "rm-user", .state = SERVICE_RUNNING, .pid = 12, .needs = on_first, .need_count = 1},
      {.name = "rm-users-user", .state = SERVICE_RUNNING, .pid = 16, .needs = on_user, .need_count = 1},
      {.name = "rm-stopped", .state = SERVICE_STOPPED, .needs = on_first, .need_count = 1},
      {.name = "rm-other", .state = SERVICE_RUNNING, .pid = 20},
  };
  rsm__services *services = open_services(NULL);
  make_list(services, items, RSM_COUNT(items));
  const rsm__listed_service *main = NULL;
  must(rsm__service_main_of(services, 8, &main, &problem));
  CHECK_TEXT(main->name, "rm-second"); /* the first of those that need none of the others */
  must(rsm__service_main_of(services, 12, &main, &problem));
  CHECK_TEXT(main->name, "rm-user");
  must(rsm__service_main_of(services, 24, &main, &problem));
  CHECK(!main);
  rsm__service_set set = {.services = services};
  must(rsm__service_set_find(&set, &services->list.items[1], 8, &problem));
  CHECK_INT(set.count, 5); /* second, first, third, user, user's user */
  static const struct {
    const char *name;
    unsigned depth;
  } expected[] = {{"rm-second", 0}, {"rm-third", 1}, {"rm-first", 2}, {"rm-user", 3}, {"rm-users-user", 4}};
  for (size_t i = 0; i < RSM_COUNT(expected); i++) {
    const rsm__service_member *found = NULL;
    for (size_t k = 0; k < set.count; k++)
      if (strcmp(set.items[k].listed->name, expected[i].name) == 0) found = &set.items[k];
    CHECK(found);
    CHECK_INT(found->depth, expected[i].depth);
    CHECK_INT(found->base_count > 0, i > 0);
  }
  rsm__service_set_done(&set);
  set = (rsm__service_set){.services = services};
  must(rsm__service_set_find(&set, &services->list.items[1], 0, &problem)); /* by name: the others may stay */
  CHECK_INT(set.count, 1);
  rsm__service_set_done(&set);
  rsm__services_free(services);
}

/* a needs b, b needs a: no manager would start them, but a registry may say so. */
static void survives_circles(void) {
  static const char *const on_a[] = {"rm-a"}, *const on_b[] = {"rm-b"};
  rsm__listed_service items[] = {
      {.name = "rm-a", .state = SERVICE_RUNNING, .pid = 8, .needs = on_b, .need_count = 1},
      {.name = "rm-b", .state = SERVICE_RUNNING, .pid = 8, .needs = on_a, .need_count = 1},
  };
  rsm__services *services = open_services(NULL);
  make_list(services, items, RSM_COUNT(items));
  const rsm__listed_service *main = NULL;
  must(rsm__service_main_of(services, 8, &main, &problem));
  CHECK_TEXT(main->name, "rm-a");
  rsm__service_set set = {.services = services};
  must(rsm__service_set_find(&set, main, 8, &problem));
  CHECK_INT(set.count, 2);
  rsm__service_set_done(&set);
  rsm__services_free(services);
}

/* ---- Judgements ---- */

static void knows_critical_services(void) {
  CHECK(rsm__critical_service("RpcSs"));
  CHECK(rsm__critical_service("RPCSS"));
  CHECK(rsm__critical_service("dcomlaunch"));
  CHECK(rsm__critical_service("OpenVPNServiceInteractive"));
  CHECK_TEXT(rsm__critical_service("Spooler"), NULL);
  CHECK_TEXT(rsm__critical_service("RpcS"), NULL);
  CHECK_TEXT(rsm__critical_service("RpcSsX"), NULL);
  CHECK_TEXT(rsm__critical_service(""), NULL);
  rsm__services *services = open_services(NULL);
  rsm__service_facts facts;
  rsm__service_place place = {.id.name = "RpcSs"};
  must(rsm__service_inspect(services, &place, &arena, &facts, &problem));
  CHECK(facts.critical);
  rsm__services_free(services);
}

static void wake_and_start(rsm__task *task, void *argument) {
  rsm__services *services = open_services(task);
  rsm__service_id id = id_of(argument);
  rsm_process main;
  rsm_error error;
  rsm__service_stop(services, &id, &error);
  rsm_status status = rsm__service_start(services, &id, &main, &error); /* waits for the slow stop */
  if (status != RSM_CANCELLED) fprintf(stderr, "status %d\n", (int)status);
  CHECK_INT(status, RSM_CANCELLED);
  rsm__services_free(services);
}

static void can_be_cancelled(void) {
  made service = make_service(L"cancelled", L"slow 8", NULL);
  rsm__task *task = NULL;
  bring_up(&service);
  must(rsm__task_new(wake_and_start, &service, &task, &problem));
  CHECK(!rsm__task_step(task, 500, NULL));
  uint64_t before = rsm__clock_ms();
  rsm__task_cancel(task);
  rsm__task_free(task);
  CHECK(rsm__clock_ms() - before < 3000);
  CHECK(reaches(&service, SERVICE_STOPPED));
  unmake(&service);
}

/* ---- Want of memory ---- */

static rsm_status whole_story(const made *service) {
  RSM_CLEAN_ARENA rsm__arena own = {0};
  rsm__services *services = NULL;
  rsm__service_place place;
  rsm__service_facts facts;
  rsm__service_activity activity;
  rsm__service_id id;
  rsm__process *process = NULL;
  rsm_status status = rsm__services_new(NULL, &services, NULL);
  if (status == RSM_OK) status = rsm__service_resolve(services, service->narrow, &own, &id, NULL);
  if (status == RSM_OK)
    status = rsm__process_open(&(rsm_process){.pid = state_of(service).dwProcessId}, &process, NULL);
  if (status == RSM_OK) status = rsm__service_of(services, process, &own, &place, NULL);
  if (status == RSM_OK) CHECK_TEXT(place.id.name, service->narrow);
  if (status == RSM_OK) status = rsm__service_inspect(services, &place, &own, &facts, NULL);
  if (status == RSM_OK) status = rsm__service_look(services, &id, &activity, NULL);
  rsm__process_close(process);
  rsm__services_free(services);
  return status;
}

static void survives_want_of_memory(void) {
  wchar_t needs[160] = {0};
  made service = make_service(L"memory", L"", NULL);
  wcscpy(needs, service.name);
  made user = make_service(L"memory-user", L"", needs);
  bring_up(&service);
  bring_up(&user);
  long live = rsm__alloc_live();
  unsigned long n = 1;
  for (;; n++) {
    rsm__alloc_fail_at(n, 0);
    rsm_status status = whole_story(&service);
    rsm__alloc_fail_at(0, 0);
    CHECK_INT(rsm__alloc_live(), live);
    if (status == RSM_OK) break;
    CHECK_INT(status, RSM_OUT_OF_MEMORY);
    CHECK(n < 3000);
  }
  for (n = 1;; n++) {
    rsm__service_id id = id_of(&user);
    rsm__services *services = open_services(NULL);
    rsm__alloc_fail_at(n, 0);
    rsm_status status = rsm__service_stop(services, &id, NULL);
    rsm__alloc_fail_at(0, 0);
    rsm__services_free(services);
    if (status == RSM_OK) break;
    CHECK_INT(status, RSM_OUT_OF_MEMORY);
    CHECK(n < 3000);
  }
  CHECK(reaches(&user, SERVICE_STOPPED));
  for (n = 1;; n++) {
    rsm__service_id id = id_of(&user);
    rsm_process main;
    rsm__services *services = open_services(NULL);
    rsm__alloc_fail_at(n, 0);
    rsm_status status = rsm__service_start(services, &id, &main, NULL);
    rsm__alloc_fail_at(0, 0);
    rsm__services_free(services);
    if (status == RSM_OK) break;
    CHECK_INT(status, RSM_OUT_OF_MEMORY);
    CHECK(n < 3000);
  }
  unmake(&user);
  unmake(&service);
}

static const check_test tests[] = {
    CHECK_TEST(resolves_names),           CHECK_TEST(finds_the_service_of_a_process), CHECK_TEST(stops_and_starts),
    CHECK_TEST(tells_why_a_start_failed), CHECK_TEST(knows_who_does_not_stop),        CHECK_TEST(sees_what_remains),
    CHECK_TEST(finds_dependents),         CHECK_TEST(stops_after_its_dependents),     CHECK_TEST(keeps_company),
    CHECK_TEST(survives_circles),         CHECK_TEST(knows_critical_services),        CHECK_TEST(can_be_cancelled),
    CHECK_TEST(survives_want_of_memory),
};

int main(int argc, char **argv) {
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
