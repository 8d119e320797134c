/* test_service_rights.c: users' managers, and what an ordinary user may do, under a real systemd with polkit.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "service_fixture.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

static uid_t user;

static rsm__service_id user_id(const char *name) {
  return (rsm__service_id){name, true, user};
}

static void user_unit(const char *name, const char *content) {
  char path[512];
  SHELL("mkdir -p /run/systemd/user");
  snprintf(path, sizeof path, "/run/systemd/user/%s", name);
  put_file(path, content);
}

#define AS_USER "setpriv --reuid %u --regid %u --clear-groups env XDG_RUNTIME_DIR=/run/user/%u "

static void begin_user(void) {
  user = make_user();
  user_unit("rsm-mine.service", "[Unit]\nDescription=A user's\n[Service]\nExecStart=/bin/sleep 1000\n");
  user_unit("rsm-mine-too.service", "[Unit]\nBindsTo=rsm-mine.service\nAfter=rsm-mine.service\n" SLEEPER);
  SHELL("systemctl start user@%u.service", user);
  SHELL(AS_USER "systemctl --user daemon-reload", user, user, user);
}

static void inspect_user(const char *name) {
  const rsm__service_place place = {.id = user_id(name)};
  must(rsm__service_inspect(services, &place, &arena, &facts, &problem));
}

static unsigned read_number(const char *command) {
  FILE *pipe = popen(command, "re");
  unsigned number = 0;
  CHECK(pipe && fscanf(pipe, "%u", &number) == 1);
  pclose(pipe);
  return number;
}

/* ---- A user's manager ---- */

/* As root for another user, and as that user. */
static void drive_user_service(void) {
  const rsm__service_id id = user_id("rsm-mine.service"), other = user_id("rsm-mine-too.service");
  rsm_process process = {0};
  must(rsm__service_start(services, &id, &process, &problem));
  CHECK(process.pid);
  must(rsm__service_start(services, &other, &(rsm_process){0}, &problem));
  inspect_user("rsm-mine.service");
  CHECK_TEXT(facts.description, "A user's");
  CHECK(facts.id.user_manager && facts.id.owner == user);
  CHECK(rsm_process_equal(&facts.main, &process) && facts.process_count == 1);
  CHECK(has_link("rsm-mine-too.service", RSM__SERVICE_DEPENDENT, 1));
  CHECK(facts.links[0].id.user_manager && facts.links[0].id.owner == user);
  CHECK(!facts.critical && !facts.refusal && !facts.obstacle && !facts.application);
  rsm__process *handle = NULL;
  rsm__service_place place = {0};
  must(rsm__process_open(&process, &handle, &problem));
  must(rsm__service_of(services, handle, &arena, &place, &problem));
  handle = rsm__process_close(handle);
  CHECK(rsm__service_id_equal(&place.id, &id));
  must(rsm__service_inspect(services, &place, &arena, &facts, &problem));
  must(rsm__service_stop(services, &id, &problem));
  CHECK(becomes_of(&id, RSM__SERVICE_DOWN) && becomes_of(&other, RSM__SERVICE_DOWN));
  const rsm__service_id failing = user_id("rsm-bad.service");
  CHECK_INT(rsm__service_start(services, &failing, &process, &problem), RSM_GEN_FAILURE);
  CHECK(strstr(problem.detail, "journalctl --user -u rsm-bad.service"));
}

static void resolve_own(void) {
  rsm__service_id id = {0};
  must(rsm__service_resolve(services, "rsm-mine", &arena, &id, &problem));
  CHECK(id.user_manager && id.owner == user);
  CHECK_INT(rsm__service_resolve(services, "rsm-nowhere", &arena, &id, &problem), RSM_NO_SUCH_SERVICE);
  drive_user_service();
}

static void somebody_elses(void) {
  const rsm__service_place place = {.id = {"rsm-mine.service", true, 0}};
  CHECK_INT(rsm__service_inspect(services, &place, &arena, &facts, &problem), RSM_ACCESS_DENIED);
  CHECK(strstr(problem.detail, "only root"));
}

static void users_manager(void) {
  if (!in_systemd()) return;
  rsm__service_id id = {0};
  user_unit("rsm-bad.service", "[Service]\nExecStart=/bin/false\n");
  begin_user();
  begin();
  drive_user_service();
  CHECK_INT(rsm__service_resolve(services, "rsm-mine", &arena, &id, &problem), RSM_NO_SUCH_SERVICE); /* not root's */
  const rsm__service_id nobodys = {"rsm-mine.service", true, 4711};
  rsm__service_activity activity;
  CHECK_INT(rsm__service_look(services, &nobodys, &activity, &problem), RSM_NO_SUCH_SERVICE);
  CHECK(strstr(problem.detail, "4711"));
  finish();
  CHECK(waitpid(-1, NULL, WNOHANG) < 0); /* no child is left over */
  as_user(user, resolve_own);
  as_user(user, somebody_elses);
}

static void desktop_application(void) {
  if (!in_systemd()) return;
  begin_user();
  SHELL(AS_USER "systemd-run --user --quiet --unit=app-player-1.service sleep 1000", user, user, user);
  SHELL(AS_USER "systemd-run --user --quiet --unit=player-1.service sleep 1000", user, user, user);
  begin();
  inspect_user("app-player-1.service");
  CHECK(facts.application);
  inspect_user("player-1.service");
  CHECK(!facts.application && facts.obstacle);
  finish();
}

/* The folder is the user's: what it leads to must not be spoken to as root. */
static void link_to_the_systems_manager(void) {
  if (!in_systemd()) return;
  begin_user();
  SHELL("mv /run/user/%u/systemd/private /run/user/%u/systemd/kept", user, user);
  const rsm__service_id id = user_id("rsm-mine.service");
  rsm__service_activity activity;
  static const char *const targets[] = {"/run/systemd/private", "/run/dbus/system_bus_socket"};
  for (size_t i = 0; i < RSM_COUNT(targets); i++) {
    SHELL("ln -s %s /run/user/%u/systemd/private", targets[i], user);
    begin();
    CHECK_INT(rsm__service_look(services, &id, &activity, &problem), RSM_ACCESS_DENIED);
    finish();
    SHELL("rm /run/user/%u/systemd/private", user);
  }
  SHELL("mv /run/user/%u/systemd/kept /run/user/%u/systemd/private", user, user);
}

_Noreturn static void talk_nonsense(const char *path, int ready) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  static const char words[] = "REJECTED no D-Bus at all\r\n";
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  memcpy(address.sun_path, path, strlen(path));
  (void)unlink(path);
  CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 5) == 0);
  CHECK(write(ready, "r", 1) == 1);
  for (;;) {
    int client = accept(listener, NULL, NULL);
    CHECK(client >= 0 && write(client, words, sizeof words - 1) > 0);
  }
}

/* Whatever a user puts in its manager's place. */
static void impostor(void) {
  if (!in_systemd()) return;
  begin_user();
  SHELL("mv /run/user/%u/systemd/private /run/user/%u/systemd/kept", user, user);
  char path[64];
  snprintf(path, sizeof path, "/run/user/%u/systemd/private", (unsigned)user);
  int ready[2];
  char word;
  CHECK(pipe2(ready, O_CLOEXEC) == 0);
  pid_t server = fork();
  if (server == 0) {
    CHECK(setresgid(user, user, user) == 0 && setresuid(user, user, user) == 0);
    talk_nonsense(path, ready[1]);
  }
  CHECK(read(ready[0], &word, 1) == 1);
  const rsm__service_id id = user_id("rsm-mine.service");
  rsm__service_activity activity;
  begin();
  uint64_t before = rsm__clock_ms();
  rsm_status status = rsm__service_look(services, &id, &activity, &problem);
  CHECK(status == RSM_ACCESS_DENIED || status == RSM_GEN_FAILURE || status == RSM_TIMEOUT);
  CHECK(rsm__clock_ms() - before < 7000);
  finish();
  CHECK(kill(server, SIGKILL) == 0 && waitpid(server, NULL, 0) == server);
  close(ready[0]);
  close(ready[1]);
  SHELL("mv /run/user/%u/systemd/kept /run/user/%u/systemd/private", user, user);
}

static uint64_t look_takes(const rsm__service_id *id, rsm_status wanted) {
  rsm__service_activity activity;
  uint64_t before = rsm__clock_ms();
  CHECK_INT(rsm__service_look(services, id, &activity, &problem), wanted);
  return rsm__clock_ms() - before;
}

static void stopped_manager(void) {
  if (!in_systemd()) return;
  char command[128];
  begin_user();
  snprintf(command, sizeof command, "systemctl show --value -p MainPID user@%u.service", (unsigned)user);
  pid_t manager = (pid_t)read_number(command);
  const rsm__service_id id = user_id("rsm-mine.service");
  begin(); /* one that was connected before, and one that never was */
  CHECK(look_takes(&id, RSM_OK) < 1000);
  CHECK(manager > 1 && kill(manager, SIGSTOP) == 0);
  uint64_t first = look_takes(&id, RSM_TIMEOUT);
  CHECK(first >= 4900 && first < 7000);
  CHECK(look_takes(&id, RSM_TIMEOUT) < 100);
  finish();
  begin();
  first = look_takes(&id, RSM_TIMEOUT);
  CHECK(first >= 4900 && first < 7000);
  CHECK(look_takes(&id, RSM_TIMEOUT) < 100);
  CHECK_INT(inspect("in-systemd.service")->activity, RSM__SERVICE_RUNNING); /* the others answer */
  CHECK(kill(manager, SIGCONT) == 0);
  finish();
  CHECK(waitpid(-1, NULL, WNOHANG) < 0);
}

/* ---- Polkit ---- */

static void expect_refused(void) {
  inspect("rsm-no.service");
  CHECK(facts.refusal && !facts.critical && facts.activity == RSM__SERVICE_RUNNING);
  CHECK(strstr(facts.refusal, "we may not stop it"));
  CHECK(facts.main.pid && facts.process_count == 1);
  CHECK_INT(stop("rsm-no.service"), RSM_ACCESS_DENIED);
  const rsm__service_id id = system_id("rsm-no.service");
  CHECK_INT(rsm__service_kill(services, &id, &problem), RSM_ACCESS_DENIED);
  CHECK_INT(start("rsm-off.service", &(rsm_process){0}), RSM_ACCESS_DENIED);
  CHECK_INT(look("rsm-no.service"), RSM__SERVICE_RUNNING);
}

static void expect_one_permitted(void) {
  expect_refused();
  inspect("rsm-may.service");
  CHECK(!facts.refusal);
  CHECK_INT(look("rsm-may.service"), RSM__SERVICE_RUNNING); /* asking did nothing */
  inspect("rsm-may-not-all.service");
  CHECK(facts.refusal && strstr(facts.refusal, "rsm-goes-too.service"));
  inspect("rsm-refuses.service");
  CHECK(strstr(facts.critical, "RefuseManualStop"));
  must(stop("rsm-may.service"));
  CHECK(becomes("rsm-may.service", RSM__SERVICE_DOWN));
  rsm_process process = {0};
  must(start("rsm-may.service", &process));
  CHECK(process.pid);
}

/* Nobody is there to permit it. */
static void expect_no_answer(void) {
  CHECK(inspect("rsm-may.service")->refusal);
  CHECK(stop("rsm-may.service") != RSM_OK);
  CHECK_INT(look("rsm-may.service"), RSM__SERVICE_RUNNING);
}

static void ordinary_user(void) {
  if (!in_systemd()) return;
  user = make_user();
  unit("rsm-no.service", SLEEPER);
  unit("rsm-off.service", SLEEPER);
  unit("rsm-may.service", SLEEPER);
  unit("rsm-may-not-all.service", SLEEPER);
  unit("rsm-goes-too.service", "[Unit]\nBindsTo=rsm-may-not-all.service\nAfter=rsm-may-not-all.service\n" SLEEPER);
  unit("rsm-refuses.service", "[Unit]\nRefuseManualStop=yes\n" SLEEPER);
  reload();
  SHELL("systemctl start rsm-no rsm-may rsm-may-not-all rsm-goes-too rsm-refuses");
  as_user(user, expect_refused);
  SHELL("mkdir -p /etc/polkit-1/rules.d");
  put_file("/etc/polkit-1/rules.d/10-rsm-test.rules",
           "polkit.addRule(function(action, subject) {\n"
           "  var unit = action.lookup('unit');\n"
           "  if (action.id == 'org.freedesktop.systemd1.manage-units' && subject.user == 'rsmtest' &&\n"
           "      (unit == 'rsm-may.service' || unit == 'rsm-may-not-all.service')) return polkit.Result.YES;\n"
           "});\n");
  SHELL("systemctl restart polkit.service");
  as_user(user, expect_one_permitted);
  SHELL("rm /etc/polkit-1/rules.d/10-rsm-test.rules; systemctl stop polkit.service; systemctl mask --runtime --quiet "
        "polkit.service");
  as_user(user, expect_no_answer);
  SHELL("systemctl unmask --runtime --quiet polkit.service");
}

/* Anybody may send us a signal over the message bus: only the manager's own ends a wait. */
static void expect_no_false_end(void) {
  CHECK_INT(start("rsm-may-slow.service", &(rsm_process){0}), RSM_GEN_FAILURE);
  CHECK(strstr(problem.detail, "timeout"));
}

static void false_signals(void) {
  if (!in_systemd()) return;
  user = make_user();
  unit("rsm-may-slow.service", "[Service]\nType=notify\nTimeoutStartSec=2\nExecStart=/bin/sleep 1000\n");
  reload();
  SHELL("mkdir -p /etc/polkit-1/rules.d");
  put_file("/etc/polkit-1/rules.d/10-rsm-test.rules", "polkit.addRule(function(action, subject) {\n"
                                                      "  if (subject.user == 'rsmtest') return polkit.Result.YES;\n"
                                                      "});\n");
  SHELL("systemctl restart polkit.service");
  put_file(
      "/tmp/rsm-lie",
      "while ! job=$(systemctl list-jobs --no-legend | grep rsm-may-slow); do sleep 0.05; done\n"
      "set -- $job\n"
      "for name in $(busctl list --unique --no-legend | awk '$3 == \"test_service_ri\" {print $1}'); do\n"
      "  busctl emit --destination=$name /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager JobRemoved \\\n"
      "    uoss $1 /org/freedesktop/systemd1/job/$1 rsm-may-slow.service done && touch /tmp/rsm-lied\n"
      "done\n");
  fflush(stdout);
  pid_t liar = fork();
  if (liar == 0) {
    execl("/bin/sh", "sh", "/tmp/rsm-lie", (char *)NULL);
    _exit(127);
  }
  as_user(user, expect_no_false_end);
  CHECK(waitpid(liar, NULL, 0) == liar);
  SHELL(
      "test -e /tmp/rsm-lied; rm /etc/polkit-1/rules.d/10-rsm-test.rules /tmp/rsm-lie; systemctl stop polkit.service");
}

/* The question whether we may stop a unit must do nothing: neither to the unit nor to a job of its. */
static void asking_does_nothing(void) {
  if (!in_systemd()) return;
  unit("rsm-asked.service", SLEEPER);
  reload();
  SHELL("systemctl start rsm-asked.service");
  SHELL("systemctl show -p InvocationID,StateChangeTimestampMonotonic,MainPID,Job rsm-asked >/tmp/rsm-before");
  begin();
  for (int i = 0; i < 20; i++) CHECK(!inspect("rsm-asked.service")->refusal);
  finish();
  SHELL("systemctl show -p InvocationID,StateChangeTimestampMonotonic,MainPID,Job rsm-asked >/tmp/rsm-after");
  SHELL("cmp /tmp/rsm-before /tmp/rsm-after");
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(users_manager), CHECK_TEST(desktop_application), CHECK_TEST(link_to_the_systems_manager),
      CHECK_TEST(impostor),      CHECK_TEST(stopped_manager),     CHECK_TEST(ordinary_user),
      CHECK_TEST(false_signals), CHECK_TEST(asking_does_nothing)};
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
