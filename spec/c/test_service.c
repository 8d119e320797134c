/* test_service.c: the services of service.h: names anywhere, and under a real systemd their facts, stopping and links.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "service_fixture.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/error.h"

/* ---- Anywhere ---- */

static void short_names(void) {
  CHECK_TEXT(rsm__service_short_name("nginx.service", &arena), "nginx");
  CHECK_TEXT(rsm__service_short_name("nginx", &arena), "nginx");
  CHECK_TEXT(rsm__service_short_name("a.socket", &arena), "a.socket");
  CHECK_TEXT(rsm__service_short_name(".service", &arena), ".service");
  const rsm__service_id a = {"a.service", false, 0}, b = {"a.service", true, 0}, c = {"a.service", true, 7}, none = {0};
  CHECK(rsm__service_id_equal(&a, &a) && rsm__service_id_equal(&none, &none));
  CHECK(!rsm__service_id_equal(&a, &b) && !rsm__service_id_equal(&b, &c) && !rsm__service_id_equal(&a, &none));
  rsm__arena_done(&arena);
}

static void expect_no_such(const char *name, const char *words) {
  rsm__service_id id = {0};
  CHECK_INT(rsm__service_resolve(services, name, &arena, &id, &problem), RSM_NO_SUCH_SERVICE);
  CHECK(strstr(problem.detail, words));
  CHECK(!id.name && (!*name || problem.subject[0]));
}

static void impossible_names(void) {
  char longest[300];
  memset(longest, 'x', sizeof longest);
  longest[256 - sizeof ".service"] = '\0'; /* 247 and 8: the last that is allowed */
  begin();
  expect_no_such("", "characters");
  expect_no_such("a b", "characters");
  expect_no_such("a/b.service", "characters");
  expect_no_such("\xc3\xa4.service", "characters");
  expect_no_such("nginx.socket", "another type");
  expect_no_such("multi-user.target", "another type");
  expect_no_such("logrotate.timer", "another type");
  expect_no_such("getty@", "template");
  expect_no_such("getty@.service", "template");
  expect_no_such("@x.service", "no service has such a name");
  expect_no_such(".service", "no service has such a name");
  longest[247] = 'x';
  longest[248] = '\0';
  expect_no_such(longest, "long");
  finish();
}

static void without_a_manager(void) {
  struct stat folder;
  if (lstat("/run/systemd/system", &folder) == 0) return;
  rsm__service_id id = system_id("nginx.service");
  const rsm__service_place place = {.id = id};
  rsm__service_activity activity;
  rsm_process process;
  begin();
  CHECK_INT(rsm__service_resolve(services, "nginx", &arena, &id, &problem), RSM_NOT_SUPPORTED);
  CHECK(strstr(problem.detail, "systemd"));
  CHECK_INT(rsm__service_inspect(services, &place, &arena, &facts, &problem), RSM_NOT_SUPPORTED);
  CHECK_INT(rsm__service_look(services, &id, &activity, &problem), RSM_NOT_SUPPORTED);
  CHECK_INT(rsm__service_stop(services, &id, &problem), RSM_NOT_SUPPORTED);
  CHECK_INT(rsm__service_kill(services, &id, &problem), RSM_NOT_SUPPORTED);
  CHECK_INT(rsm__service_start(services, &id, &process, &problem), RSM_NOT_SUPPORTED);
  uint64_t before = rsm__clock_ms();
  rsm__services_wait(services, before + 30);
  CHECK(rsm__clock_ms() - before >= 29 && rsm__clock_ms() - before < 2000);
  finish();
}

static void our_own_place(void) {
  const rsm_process id = {.pid = (uint32_t)getpid()};
  rsm__process *self = NULL;
  rsm__service_place place = {0};
  begin();
  must(rsm__process_open(&id, &self, &problem));
  must(rsm__service_of(services, self, &arena, &place, &problem));
  CHECK(!place.id.name || (place.group && place.carries_us));
  self = rsm__process_close(self);
  finish();
}

/* ---- Under systemd: one unit ---- */

static void names_and_aliases(void) {
  if (!in_systemd()) return;
  rsm__service_id id = {0};
  unit("rsm-a.service", "[Unit]\nDescription=An A\n" SLEEPER "[Install]\nAlias=rsm-alias.service\n");
  unit("rsm-t@.service", "[Unit]\nDescription=Template of %i\n" SLEEPER);
  SHELL("ln -sf /run/systemd/system/rsm-a.service /run/systemd/system/rsm-alias.service");
  SHELL("ln -sf /dev/null /run/systemd/system/rsm-masked.service");
  reload();
  begin();
  static const char *const same[] = {"rsm-a", "rsm-a.service", "rsm-alias", "rsm-alias.service"};
  for (size_t i = 0; i < RSM_COUNT(same); i++) {
    must(rsm__service_resolve(services, same[i], &arena, &id, &problem));
    CHECK_TEXT(id.name, "rsm-a.service");
    CHECK(!id.user_manager && id.owner == 0);
  }
  must(rsm__service_resolve(services, "rsm-t@one", &arena, &id, &problem));
  CHECK_TEXT(id.name, "rsm-t@one.service");
  must(rsm__service_resolve(services, "rsm-masked", &arena, &id, &problem));
  CHECK(strstr(inspect("rsm-masked.service")->obstacle, "masked"));
  expect_no_such("rsm-nowhere", "known");
  CHECK_TEXT(problem.subject, "rsm-nowhere.service");
  CHECK_TEXT(inspect("rsm-t@two.service")->description, "Template of two");
  CHECK_INT(facts.activity, RSM__SERVICE_DOWN);
  CHECK(facts.main.pid == 0 && facts.process_count == 0 && !facts.critical && !facts.refusal && !facts.obstacle);
  finish();
}

static void running_and_stopping(void) {
  if (!in_systemd()) return;
  rsm_process process = {0}, again = {0};
  unit("rsm-run.service", "[Unit]\nDescription=Runs\n[Service]\nRestart=always\nRestartSec=0\n"
                          "ExecStart=/bin/sh -c 'sleep 1000 & sleep 1001 & wait'\n");
  reload();
  begin();
  must(start("rsm-run.service", &process));
  CHECK(process.pid && process.start_time);
  usleep(100000); /* the shell starts its two */
  inspect("rsm-run.service");
  CHECK_TEXT(facts.description, "Runs");
  CHECK_INT(facts.activity, RSM__SERVICE_RUNNING);
  CHECK(rsm_process_equal(&facts.main, &process) && rsm_process_equal(&facts.processes[0], &process));
  CHECK_INT(facts.process_count, 3);
  CHECK(!facts.carries_us && !facts.critical && !facts.refusal && !facts.obstacle && !facts.note);
  CHECK(!facts.application && facts.link_count == 0);
  must(start("rsm-run.service", &again)); /* up already */
  CHECK(rsm_process_equal(&process, &again));
  must(stop("rsm-run.service"));
  CHECK(becomes("rsm-run.service", RSM__SERVICE_DOWN));
  usleep(200000);
  CHECK_INT(look("rsm-run.service"), RSM__SERVICE_DOWN); /* Restart=always does not apply */
  must(start("rsm-run.service", &again));
  CHECK(again.pid && !rsm_process_equal(&process, &again));
  must(stop("rsm-run.service"));
  must(start("rsm-run.service", &process)); /* behind the stop that has not ended, or instead of it */
  CHECK_INT(look("rsm-run.service"), RSM__SERVICE_RUNNING);
  SHELL("systemctl stop rsm-run.service");
  finish();
}

static void deaf_one(void) {
  if (!in_systemd()) return;
  const rsm__service_id id = system_id("rsm-deaf.service");
  unit("rsm-deaf.service", "[Service]\nExecStart=/bin/sh -c 'trap \"\" TERM; while :; do sleep 1; done'\n");
  reload();
  begin();
  must(start("rsm-deaf.service", &(rsm_process){0}));
  usleep(100000);
  must(stop("rsm-deaf.service"));
  CHECK(becomes("rsm-deaf.service", RSM__SERVICE_STOPPING));
  CHECK_INT(inspect("rsm-deaf.service")->activity, RSM__SERVICE_STOPPING);
  must(rsm__service_kill(services, &id, &problem));
  CHECK(becomes("rsm-deaf.service", RSM__SERVICE_DOWN));
  finish();
}

static void leftovers(void) {
  if (!in_systemd()) return;
  const rsm__service_id id = system_id("rsm-left.service");
  unit("rsm-left.service", "[Service]\nKillMode=process\nExecStart=/bin/sh -c 'sleep 1000 & exec sleep 1001'\n");
  reload();
  begin();
  must(start("rsm-left.service", &(rsm_process){0}));
  usleep(100000);
  must(stop("rsm-left.service"));
  CHECK(becomes("rsm-left.service", RSM__SERVICE_REMAINS));
  CHECK_INT(inspect("rsm-left.service")->process_count, 1);
  CHECK(facts.main.pid == 0 && facts.activity == RSM__SERVICE_REMAINS);
  must(rsm__service_kill(services, &id, &problem));
  CHECK(becomes("rsm-left.service", RSM__SERVICE_DOWN));
  finish();
}

static void of_a_process(void) {
  if (!in_systemd()) return;
  rsm_process process = {0};
  rsm__process *handle = NULL;
  rsm__service_place place = {0};
  unit("rsm-of.service", SLEEPER);
  reload();
  begin();
  must(start("rsm-of.service", &process));
  must(rsm__process_open(&process, &handle, &problem));
  must(rsm__service_of(services, handle, &arena, &place, &problem));
  CHECK_TEXT(place.id.name, "rsm-of.service");
  CHECK_TEXT(place.group, "/system.slice/rsm-of.service");
  CHECK(!place.carries_us);
  must(rsm__service_inspect(services, &place, &arena, &facts, &problem));
  CHECK(rsm_process_equal(&facts.main, &process));
  place.group = "/docker/1234/system.slice/rsm-of.service"; /* a container's service of the same name */
  CHECK_INT(rsm__service_inspect(services, &place, &arena, &facts, &problem), RSM_NO_SUCH_SERVICE);
  place.group = "/system.slice/rsm-of.servic";
  CHECK_INT(rsm__service_inspect(services, &place, &arena, &facts, &problem), RSM_NO_SUCH_SERVICE);
  handle = rsm__process_close(handle);
  SHELL("systemctl stop rsm-of.service");
  place.group = "/system.slice/rsm-of.service"; /* it ended meanwhile */
  CHECK_INT(rsm__service_inspect(services, &place, &arena, &facts, &problem), RSM_NO_SUCH_SERVICE);
  CHECK(inspect("in-systemd.service")->carries_us);
  finish();
}

static void judgements(void) {
  if (!in_systemd()) return;
  unit("rsm-refuse.service", "[Unit]\nRefuseManualStop=yes\n" SLEEPER);
  unit("rsm-nostart.service", "[Unit]\nRefuseManualStart=yes\n" SLEEPER);
  unit("rsm-changed.service", SLEEPER);
  reload();
  SHELL("systemctl start rsm-refuse.service rsm-changed.service");
  SHELL("systemd-run --quiet --unit=rsm-transient sleep 1000");
  begin();
  CHECK(strstr(inspect("rsm-refuse.service")->critical, "RefuseManualStop"));
  CHECK(!facts.refusal); /* not asked any more */
  CHECK_INT(stop("rsm-refuse.service"), RSM_ACCESS_DENIED);
  CHECK(strstr(inspect("rsm-nostart.service")->obstacle, "RefuseManualStart"));
  CHECK(strstr(inspect("rsm-transient.service")->obstacle, "transient"));
  CHECK(!facts.application && !facts.critical);
  must(stop("rsm-transient.service"));
  CHECK(becomes("rsm-transient.service", RSM__SERVICE_DOWN));
  CHECK_INT(start("rsm-transient.service", &(rsm_process){0}), RSM_NO_SUCH_SERVICE);
  CHECK(!inspect("rsm-changed.service")->note);
  sleep(1); /* file times */
  unit("rsm-changed.service", "# new\n" SLEEPER);
  CHECK(strstr(inspect("rsm-changed.service")->note, "daemon-reload"));
  CHECK(inspect("dbus.service")->critical);
  finish();
}

/* ---- Under systemd: what goes down with it ---- */

static void write_linked(void) {
  unit("rsm-base.service", SLEEPER);
  unit("rsm-req.service", "[Unit]\nDescription=Requires\nRequires=rsm-base.service\nAfter=rsm-base.service\n" SLEEPER);
  unit("rsm-binds.service", "[Unit]\nBindsTo=rsm-req.service\nAfter=rsm-req.service\n" SLEEPER);
  unit("rsm-part.service", "[Unit]\nPartOf=rsm-base.service\n" SLEEPER);
  unit("rsm-wants.service", "[Unit]\nWants=rsm-base.service\n" SLEEPER);
  unit("rsm-idle.service", "[Unit]\nRequires=rsm-base.service\n" SLEEPER); /* never started */
  unit("rsm-prop.service", "[Unit]\nStopPropagatedFrom=rsm-base.service\n" SLEEPER);
  unit("rsm-base.socket", "[Socket]\nListenStream=/run/rsm-base\n");
  unit("rsm-sock-user.service", "[Unit]\nRequires=rsm-base.socket\nAfter=rsm-base.socket\n" SLEEPER);
  unit("rsm-base.timer", "[Timer]\nOnActiveSec=1h\n");
  unit("rsm-base.path", "[Path]\nPathExists=/no/such/thing\n");
  unit("rsm-up.service", "[Unit]\nUpholds=rsm-base.service\n" SLEEPER);
  reload();
  SHELL("systemctl start rsm-base.socket rsm-base.service rsm-req.service rsm-binds.service rsm-part.service "
        "rsm-wants.service rsm-prop.service rsm-sock-user.service rsm-base.timer rsm-base.path rsm-up.service");
}

static void links(void) {
  if (!in_systemd()) return;
  write_linked();
  begin();
  inspect("rsm-base.service");
  CHECK(has_link("rsm-req.service", RSM__SERVICE_DEPENDENT, 1));
  CHECK_TEXT(link_to("rsm-req.service")->description, "Requires");
  CHECK(has_link("rsm-binds.service", RSM__SERVICE_DEPENDENT, 2));
  CHECK(has_link("rsm-part.service", RSM__SERVICE_DEPENDENT, 1));
  CHECK(has_link("rsm-prop.service", RSM__SERVICE_DEPENDENT, 1));
  CHECK(has_link("rsm-base.socket", RSM__SERVICE_LISTENER, 1));
  CHECK(has_link("rsm-sock-user.service", RSM__SERVICE_DEPENDENT, 2));
  CHECK(has_link("rsm-base.timer", RSM__SERVICE_STARTER, 1));
  CHECK(has_link("rsm-base.path", RSM__SERVICE_STARTER, 1));
  CHECK(has_link("rsm-up.service", RSM__SERVICE_STARTER, 1));
  CHECK_INT(facts.link_count, 9); /* neither who only wants it nor who is not up */
  CHECK(!facts.critical && !facts.refusal && !facts.obstacle && !facts.carries_us);
  for (size_t i = 1; i < facts.link_count; i++) CHECK(facts.links[i - 1].depth <= facts.links[i].depth);
  /* What the list says is what happens. */
  SHELL("systemctl stop rsm-up.service rsm-base.timer rsm-base.path rsm-base.socket");
  must(stop("rsm-base.service"));
  CHECK(becomes("rsm-base.service", RSM__SERVICE_DOWN));
  CHECK(becomes("rsm-binds.service", RSM__SERVICE_DOWN) && becomes("rsm-part.service", RSM__SERVICE_DOWN));
  CHECK(becomes("rsm-prop.service", RSM__SERVICE_DOWN));
  CHECK_INT(look("rsm-wants.service"), RSM__SERVICE_RUNNING);
  CHECK_INT(inspect("rsm-base.service")->link_count, 0);
  /* Sockets and timers are looked at, stopped and started like services. */
  must(start("rsm-base.socket", &(rsm_process){0}));
  CHECK_INT(look("rsm-base.socket"), RSM__SERVICE_RUNNING);
  must(start("rsm-base.timer", &(rsm_process){0}));
  CHECK_INT(look("rsm-base.timer"), RSM__SERVICE_RUNNING);
  must(stop("rsm-base.timer"));
  CHECK(becomes("rsm-base.timer", RSM__SERVICE_DOWN));
  finish();
}

static void links_that_stand_in_the_way(void) {
  if (!in_systemd()) return;
  unit("rsm-core.service", SLEEPER);
  unit("rsm-guard.service", "[Unit]\nBindsTo=rsm-core.service\nAfter=rsm-core.service\nRefuseManualStop=yes\n" SLEEPER);
  unit("rsm-one.service", SLEEPER);
  unit("rsm-other.service", SLEEPER);
  reload();
  SHELL("systemctl start rsm-core.service rsm-guard.service rsm-one.service rsm-other.service");
  SHELL("systemd-run --quiet --unit=rsm-gone -p BindsTo=rsm-one.service -p After=rsm-one.service sleep 1000");
  SHELL("systemctl set-property --runtime in-systemd.service CPUWeight=100"); /* still ours after a change */
  begin();
  inspect("rsm-core.service");
  CHECK(strstr(facts.critical, "rsm-guard.service") && strstr(facts.critical, "RefuseManualStop"));
  inspect("rsm-one.service");
  CHECK(strstr(facts.note, "rsm-gone.service") && !facts.obstacle && !facts.critical);
  CHECK(!inspect("rsm-other.service")->note);
  finish();
}

static void one_connection_each(void) {
  if (!in_systemd()) return;
  unit("rsm-each.socket", "[Socket]\nListenStream=/run/rsm-each\nAccept=yes\n");
  unit("rsm-each@.service", "[Service]\nExecStart=/bin/cat\nStandardInput=socket\n");
  reload();
  SHELL("systemctl start rsm-each.socket");
  const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/rsm-each"};
  int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(client >= 0 && connect(client, (const struct sockaddr *)&address, sizeof address) == 0);
  usleep(300000);
  FILE *pipe = popen("systemctl list-units --plain --no-legend 'rsm-each@*' | cut -d' ' -f1", "re");
  char name[128] = "";
  CHECK(pipe && fscanf(pipe, "%127s", name) == 1);
  pclose(pipe);
  begin();
  CHECK(strstr(inspect(name)->obstacle, "one connection"));
  CHECK(has_link("rsm-each.socket", RSM__SERVICE_LISTENER, 1));
  finish();
  close(client);
}

/* ---- Want of memory ---- */

static rsm_status inspect_quietly(void) {
  RSM_CLEAN_ARENA rsm__arena own = {0};
  const rsm__service_place place = {.id = system_id("rsm-memory.service")};
  rsm__services *fresh = NULL;
  rsm_status status = rsm__services_new(NULL, &fresh, &problem);
  if (status == RSM_OK) status = rsm__service_inspect(fresh, &place, &own, &facts, &problem);
  rsm__services_free(fresh);
  return status;
}

static rsm_status stop_and_start(void) {
  const rsm__service_id id = system_id("rsm-memory.service");
  rsm__services *fresh = NULL;
  rsm__service_activity activity = RSM__SERVICE_RUNNING;
  rsm_status status = rsm__services_new(NULL, &fresh, &problem);
  if (status == RSM_OK) status = rsm__service_stop(fresh, &id, &problem);
  while (status == RSM_OK && activity != RSM__SERVICE_DOWN) {
    status = rsm__service_look(fresh, &id, &activity, &problem);
    rsm__services_wait(fresh, rsm__clock_ms() + 100);
  }
  if (status == RSM_OK) status = rsm__service_start(fresh, &id, &(rsm_process){0}, &problem);
  rsm__services_free(fresh);
  return status;
}

static rsm_status resolve_quietly(void) {
  RSM_CLEAN_ARENA rsm__arena own = {0};
  rsm__service_id id = {0};
  rsm__services *fresh = NULL;
  rsm_status status = rsm__services_new(NULL, &fresh, &problem);
  if (status == RSM_OK) status = rsm__service_resolve(fresh, "rsm-memory", &own, &id, &problem);
  rsm__services_free(fresh);
  return status;
}

/* Each request fails once, and then all from it on. */
static void climb(rsm_status (*run)(void)) {
  for (int for_ever = 0; for_ever < 2; for_ever++) {
    rsm_status status = RSM_OUT_OF_MEMORY;
    unsigned long rung = 0;
    while (status != RSM_OK) {
      CHECK(++rung < 2000);
      rsm__alloc_fail_at(rung, for_ever);
      status = run();
      rsm__alloc_fail_at(0, 0);
      CHECK_INT(rsm__alloc_live(), 0);
      if (status != RSM_OK && status != RSM_OUT_OF_MEMORY) must(status);
    }
    CHECK(rung > 3);
  }
}

static void memory_runs_out(void) {
  if (!in_systemd()) return;
  unit("rsm-memory.service", SLEEPER);
  unit("rsm-memory-too.service", "[Unit]\nBindsTo=rsm-memory.service\nAfter=rsm-memory.service\n" SLEEPER);
  reload();
  SHELL("systemctl start rsm-memory-too.service");
  climb(resolve_quietly);
  climb(inspect_quietly);
  climb(stop_and_start);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {CHECK_TEST(short_names),
                                     CHECK_TEST(impossible_names),
                                     CHECK_TEST(without_a_manager),
                                     CHECK_TEST(our_own_place),
                                     CHECK_TEST(names_and_aliases),
                                     CHECK_TEST(running_and_stopping),
                                     CHECK_TEST(deaf_one),
                                     CHECK_TEST(leftovers),
                                     CHECK_TEST(of_a_process),
                                     CHECK_TEST(judgements),
                                     CHECK_TEST(links),
                                     CHECK_TEST(links_that_stand_in_the_way),
                                     CHECK_TEST(one_connection_each),
                                     CHECK_TEST(memory_runs_out)};
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
