/* bus.c: connections, calls, properties and jobs. We drive the connection ourselves instead of using sd_bus_call: its
 * waits for the start of a conversation are not bounded, and a signal that interrupts it loses the answer.
 *
 * call   | purpose                                  | blocks
 * poll   | the connection, and the task's wake fd   | RSM__BUS_LIMIT_MS a question, a job until its deadline
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os/linux/bus.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/clock.h"
#include "os/linux/bus_user.h"
#include "os/linux/fd.h"
#include "os/linux/os_error.h"
#include "os/linux/task_wake.h"

static const char DESTINATION[] = "org.freedesktop.systemd1";
static const char MANAGER_PATH[] = "/org/freedesktop/systemd1";
static const char MANAGER[] = "org.freedesktop.systemd1.Manager";
static const char PROPERTIES[] = "org.freedesktop.DBus.Properties";
static const char MESSAGE_BUS[] = "org.freedesktop.DBus";

enum { NAME_MAX_BYTES = 256, RESULT_BYTES = 32, CONNECTIONS_MAX = 32, TICK_MS = 100 };

typedef struct job {
  uint32_t id;
  bool ended;
  char result[RESULT_BYTES];
} job;

struct rsm__bus {
  rsm__sd_bus library;
  sd_bus *connection;
  rsm__task *task; /* borrowed */
  bool user_manager;
  uint32_t owner;
  uint64_t waited_ms; /* for slow answers: one that lets us wait each time must not do so for ever */
  bool on_message_bus;
  bool hung;
  bool broken;
  bool subscribed;
  bool declines;                /* we are who would be asked for a password */
  bool news;                    /* a signal came since the last rsm__bus_wait_any */
  char refusal[NAME_MAX_BYTES]; /* the D-Bus name of the last call's error; "" */
  char manager[NAME_MAX_BYTES]; /* on the message bus: the manager's unique name, once subscribed */
  job *jobs;                    /* asked for and not yet waited for */
  size_t job_count, job_capacity;
  char result[RESULT_BYTES]; /* of the last job that was waited for */
};

/* ---- Errors ---- */

/* The one translation of D-Bus errors. */
static rsm_status status_of(const char *name) {
  static const struct {
    const char *name;
    rsm_status status;
  } table[] = {
      {"org.freedesktop.systemd1.NoSuchUnit", RSM_NO_SUCH_SERVICE},
      {"org.freedesktop.systemd1.NoSuchProcess", RSM_NOT_FOUND},
      {"org.freedesktop.systemd1.OnlyByDependency", RSM_ACCESS_DENIED},
      {"org.freedesktop.DBus.Error.AccessDenied", RSM_ACCESS_DENIED},
      {"org.freedesktop.DBus.Error.AuthFailed", RSM_ACCESS_DENIED},
      {"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", RSM_ACCESS_DENIED},
      {"org.freedesktop.DBus.Error.NoReply", RSM_TIMEOUT},
      {"org.freedesktop.DBus.Error.Timeout", RSM_TIMEOUT},
      {"org.freedesktop.DBus.Error.TimedOut", RSM_TIMEOUT},
      {"org.freedesktop.DBus.Error.ServiceUnknown", RSM_NOT_SUPPORTED},
      {"org.freedesktop.DBus.Error.NameHasNoOwner", RSM_NOT_SUPPORTED},
      {"org.freedesktop.DBus.Error.NoServer", RSM_NOT_SUPPORTED},
      {"org.freedesktop.DBus.Error.UnknownMethod", RSM_NOT_SUPPORTED},
      {"org.freedesktop.DBus.Error.NoMemory", RSM_OUT_OF_MEMORY},
      {"org.freedesktop.DBus.Error.LimitsExceeded", RSM_BUSY},
      {"System.Error.ESRCH", RSM_NOT_FOUND},
  };
  for (size_t i = 0; i < RSM_COUNT(table); i++)
    if (strcmp(table[i].name, name) == 0) return table[i].status;
  return RSM_GEN_FAILURE; /* LoadFailed, UnitMasked, transactions that are impossible: the words say it */
}

/* What a manager says goes to people's terminals: no control characters. */
static void copy_words(char *to, size_t size, const char *from) {
  size_t length = from ? strnlen(from, size - 1) : 0;
  if (length) memcpy(to, from, length);
  for (size_t i = 0; i < length; i++)
    if ((unsigned char)to[i] < ' ' || to[i] == 0x7f) to[i] = ' ';
  to[length] = '\0';
}

static rsm_status fail_refused(rsm__bus *bus, const rsm__bus_method *method, const sd_bus_error *error,
                               rsm_error *reterr) {
  char words[sizeof reterr->detail];
  copy_words(bus->refusal, sizeof bus->refusal, error->name ? error->name : "unnamed");
  copy_words(words, sizeof words, error->message && *error->message ? error->message : bus->refusal);
  rsm_status status = rsm__fail_call(reterr, status_of(bus->refusal), method->member, 0, bus->refusal, method->subject);
  rsm__error_explain(reterr, "%s", words);
  return status;
}

static rsm_status fail_hung(rsm__bus *bus, const char *subject, rsm_error *reterr) {
  bus->hung = true;
  return rsm__fail(reterr, RSM_TIMEOUT, subject, "the service manager did not answer in time");
}

/* result: what a function of sd-bus gave, below 0. */
static rsm_status fail_sd(rsm__bus *bus, int result, const char *subject, rsm_error *reterr) {
  switch (-result) {
  case ENOMEM:
  case EMFILE:
  case ENFILE:
    return rsm__fail_errno(reterr, -result, "sd_bus", subject);
  case EPERM:
  case EACCES:
    bus->broken = true;
    return rsm__fail(reterr, RSM_ACCESS_DENIED, subject, "the service manager does not talk to us");
  case EINVAL: /* our arguments, or an answer that is not what it should be */
  case EBADMSG:
  case ENXIO:
    return rsm__fail(reterr, RSM_GEN_FAILURE, subject, "the service manager gave an answer that is not understood");
  default:
    bus->broken = true;
    rsm__fail_errno(reterr, -result, "sd_bus", subject);
    if (reterr) reterr->status = RSM_GEN_FAILURE;
    rsm__error_explain(reterr, "the connection to the service manager broke");
    return RSM_GEN_FAILURE;
  }
}

/* ---- Moving ---- */

static int until(uint64_t deadline_ms) {
  uint64_t now = rsm__clock_ms();
  if (now >= deadline_ms) return 0;
  return deadline_ms - now > INT_MAX ? INT_MAX : (int)(deadline_ms - now);
}

typedef bool is_done(const rsm__bus *bus, const void *what);

/* Handles messages until done(bus, what). task: who may end it; NULL: nobody. RSM_TIMEOUT and RSM_CANCELLED do not fill
 * *reterr. */
static rsm_status move(rsm__bus *bus, is_done *done, const void *what, uint64_t deadline_ms, rsm__task *task,
                       rsm_error *reterr) {
  const rsm__sd_bus *library = &bus->library;
  for (;;) {
    int result = library->bus_process(bus->connection, NULL);
    if (result < 0 && result != -EINTR && result != -EAGAIN) return fail_sd(bus, result, NULL, reterr);
    if (done(bus, what)) return RSM_OK;
    if (!library->bus_is_open(bus->connection)) return fail_sd(bus, -ECONNRESET, NULL, reterr);
    int left = until(deadline_ms);
    if (task && rsm__task_cancelled(task)) return RSM_CANCELLED;
    if (left == 0) return RSM_TIMEOUT;
    if (result > 0) continue;
    int events = library->bus_get_events(bus->connection);
    struct pollfd ready[2] = {{.fd = library->bus_get_fd(bus->connection), .events = (short)(events < 0 ? 0 : events)},
                              {.fd = task ? rsm__task_wake_fd(task) : -1, .events = POLLIN}};
    if (poll(ready, 2, left) < 0 && errno != EINTR) return rsm__fail_errno(reterr, errno, "poll", NULL);
  }
}

/* ---- Signals ---- */

static void end_job(rsm__bus *bus, uint32_t id, const char *result) {
  for (size_t i = 0; i < bus->job_count; i++) {
    job *one = &bus->jobs[i];
    if (one->id != id) continue;
    one->ended = true;
    copy_words(one->result, sizeof one->result, result);
  }
}

/* On the message bus anybody may send us something that looks like the manager's signal. */
static bool is_manager(const rsm__bus *bus, sd_bus_message *message) {
  if (!bus->on_message_bus) return true;
  const char *sender = bus->library.bus_message_get_sender(message);
  return sender && bus->manager[0] && strcmp(sender, bus->manager) == 0;
}

/* Sees every message that is not an answer. */
static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
  rsm__bus *bus = userdata;
  const rsm__sd_bus *library = &bus->library;
  uint32_t id;
  const char *path, *unit, *result;
  (void)ret_error;
  if (!is_manager(bus, message)) return 0;
  if (library->bus_message_is_signal(message, PROPERTIES, "PropertiesChanged") > 0) bus->news = true;
  if (library->bus_message_is_signal(message, MANAGER, "JobRemoved") > 0 &&
      library->bus_message_read(message, "uoss", &id, &path, &unit, &result) > 0) {
    bus->news = true;
    end_job(bus, id, result);
  }
  return 0;
}

/* ---- Opening ---- */

static bool is_ready(const rsm__bus *bus, const void *what) {
  (void)what;
  return bus->library.bus_is_ready(bus->connection) > 0;
}

/* Takes the descriptor over. */
static rsm_status start(rsm__bus *bus, int *fd, bool on_message_bus, rsm_error *reterr) {
  const rsm__sd_bus *library = &bus->library;
  bus->on_message_bus = on_message_bus;
  int result = library->bus_new(&bus->connection);
  if (result >= 0) result = library->bus_set_fd(bus->connection, *fd, *fd);
  if (result < 0) return fail_sd(bus, result, NULL, reterr);
  *fd = -1;
  if (on_message_bus) result = library->bus_set_bus_client(bus->connection, 1);
  if (result >= 0) result = library->bus_add_filter(bus->connection, NULL, on_message, bus);
  if (result >= 0) result = library->bus_start(bus->connection);
  if (result < 0) return fail_sd(bus, result, NULL, reterr);
  rsm_status status = move(bus, is_ready, NULL, rsm__clock_ms() + RSM__BUS_LIMIT_MS, NULL, reterr);
  return status == RSM_TIMEOUT ? fail_hung(bus, NULL, reterr) : status;
}

static void drop_connection(rsm__bus *bus) {
  if (bus->connection) {
    bus->library.bus_close(bus->connection);
    bus->library.bus_unref(bus->connection);
  }
  bus->connection = NULL;
  bus->broken = false;
}

static rsm_status start_at(rsm__bus *bus, const char *path, bool on_message_bus, rsm_error *reterr) {
  RSM_CLEAN_FD int fd = -1;
  rsm_status status = rsm__bus_connect(path, &fd, reterr);
  return status == RSM_OK ? start(bus, &fd, on_message_bus, reterr) : status;
}

static rsm_status open_system(rsm__bus *bus, rsm_error *reterr) {
  if (geteuid() == 0) {
    rsm_status status = start_at(bus, "/run/systemd/private", false, reterr);
    if (status == RSM_OK || status == RSM_TIMEOUT || rsm__is_shortage(status)) return status;
    drop_connection(bus);
  }
  rsm_status status = start_at(bus, "/run/dbus/system_bus_socket", true, reterr);
  if (status == RSM_NOT_FOUND)
    return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL, "the service manager cannot be asked: no system message bus");
  return status;
}

static rsm_status open_user(rsm__bus *bus, uint32_t owner, rsm_error *reterr) {
  RSM_CLEAN_FD int fd = -1;
  rsm_status status = rsm__bus_connect_user(owner, RSM__BUS_LIMIT_MS, &fd, reterr);
  return status == RSM_OK ? start(bus, &fd, false, reterr) : status;
}

/* What sd_booted(3) looks at. */
rsm_status rsm__bus_check_booted(rsm_error *reterr) {
  struct stat folder;
  bool found = lstat("/run/systemd/system", &folder) == 0;
  if (found && S_ISDIR(folder.st_mode)) return RSM_OK;
  if (!found && rsm__is_shortage(rsm__errno_status(errno)))
    return rsm__fail_errno(reterr, errno, "lstat", "/run/systemd/system");
  return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL, "services are managed through systemd, which does not run here");
}

rsm_status rsm__bus_open(bool user_manager, uint32_t owner, rsm__task *task, rsm__bus **ret_bus, rsm_error *reterr) {
  RSM_CLEAN_BUS rsm__bus *bus = rsm__calloc(1, sizeof *bus);
  if (!bus) return rsm__fail_memory(reterr);
  bus->task = task;
  bus->user_manager = user_manager;
  bus->owner = owner;
  rsm_status status = rsm__bus_check_booted(reterr);
  if (status == RSM_OK) status = rsm__sd_bus_load(&bus->library, reterr);
  if (status == RSM_OK) status = user_manager ? open_user(bus, owner, reterr) : open_system(bus, reterr);
  if (status != RSM_OK) return status;
  *ret_bus = bus;
  bus = NULL;
  return RSM_OK;
}

rsm__bus *rsm__bus_close(rsm__bus *bus) {
  if (!bus) return NULL;
  drop_connection(bus);
  rsm__free(bus->jobs);
  rsm__free(bus);
  return NULL;
}

bool rsm__bus_is_broken(const rsm__bus *bus) {
  return bus->broken;
}

bool rsm__bus_is_users(const rsm__bus *bus, uint32_t *ret_owner) {
  *ret_owner = bus->owner;
  return bus->user_manager;
}

const rsm__sd_bus *rsm__bus_library(const rsm__bus *bus) {
  return &bus->library;
}

/* ---- Calls ---- */

void rsm__bus_reply_done(rsm__bus_reply *reply) {
  if (reply->message) reply->bus->library.bus_message_unref(reply->message);
  reply->message = NULL;
}

typedef struct answer {
  const rsm__sd_bus *library;
  sd_bus_message *message; /* ours */
} answer;

static int on_answer(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
  answer *got = userdata;
  (void)ret_error;
  got->message = got->library->bus_message_ref(message);
  return 1;
}

static bool is_answered(const rsm__bus *bus, const void *what) {
  (void)bus;
  return ((const answer *)what)->message != NULL;
}

/* Sends the message and waits for its answer, which the caller owns. */
static rsm_status ask(rsm__bus *bus, sd_bus_message *message, const rsm__bus_method *method, sd_bus_message **ret,
                      rsm_error *reterr) {
  const rsm__sd_bus *library = &bus->library;
  answer got = {.library = library};
  sd_bus_slot *slot = NULL;
  /* sd-bus' own limit is a later one: ours is what counts. */
  int result =
      library->bus_call_async(bus->connection, &slot, message, on_answer, &got, (uint64_t)RSM__BUS_LIMIT_MS * 1000 * 2);
  if (result < 0) return fail_sd(bus, result, method->subject, reterr);
  uint64_t before = rsm__clock_ms();
  rsm_status status = move(bus, is_answered, &got, before + RSM__BUS_LIMIT_MS, NULL, reterr);
  library->bus_slot_unref(slot);
  uint64_t took = rsm__clock_ms() - before;
  if (took > RSM__BUS_SLOW_MS) bus->waited_ms += took;
  if (bus->waited_ms > RSM__BUS_PATIENCE_MS) bus->hung = true;
  if (status == RSM_TIMEOUT) return fail_hung(bus, method->subject, reterr);
  if (status == RSM_OK) {
    const sd_bus_error *error = library->bus_message_get_error(got.message);
    /* When the other side goes away sd-bus answers in its place. */
    if (error && library->bus_is_open(bus->connection) <= 0)
      status = fail_sd(bus, -ECONNRESET, method->subject, reterr);
    else if (error)
      status = fail_refused(bus, method, error, reterr);
  }
  if (status == RSM_OK)
    *ret = got.message;
  else if (got.message)
    library->bus_message_unref(got.message);
  return status;
}

static rsm_status call(rsm__bus *bus, const char *destination, const rsm__bus_method *method, rsm__bus_reply *ret_reply,
                       rsm_error *reterr, const char *types, va_list values) {
  const rsm__sd_bus *library = &bus->library;
  sd_bus_message *message = NULL, *got = NULL;
  bus->refusal[0] = '\0';
  if (bus->hung) return fail_hung(bus, method->subject, reterr);
  if (bus->broken) return fail_sd(bus, -ECONNRESET, method->subject, reterr);
  int result = library->bus_message_new_method_call(bus->connection, &message, destination,
                                                    method->path ? method->path : MANAGER_PATH,
                                                    method->interface ? method->interface : MANAGER, method->member);
  if (result >= 0 && types && *types) result = library->bus_message_appendv(message, types, values);
  rsm_status status =
      result < 0 ? fail_sd(bus, result, method->subject, reterr) : ask(bus, message, method, &got, reterr);
  if (message) library->bus_message_unref(message);
  if (status != RSM_OK) return status;
  if (ret_reply)
    *ret_reply = (rsm__bus_reply){bus, got};
  else
    library->bus_message_unref(got);
  return RSM_OK;
}

static rsm_status call_at(rsm__bus *bus, const char *destination, const rsm__bus_method *method,
                          rsm__bus_reply *ret_reply, rsm_error *reterr, const char *types, ...) {
  va_list values;
  va_start(values, types);
  rsm_status status = call(bus, destination, method, ret_reply, reterr, types, values);
  va_end(values);
  return status;
}

/* systemd lets polkit ask for a password whatever its caller wants (seen with 252). So that nobody is asked, we are who
 * would be: the agent of our own process goes before the session's, and sd-bus answers for us that it knows no such
 * object. It lasts as long as the connection: meanwhile our host's own requests in this process ask nobody either. An
 * agent that the host has registered for itself stays, and is asked. */
static rsm_status decline_passwords(rsm__bus *bus, rsm_error *reterr) {
  if (!bus->on_message_bus || bus->declines || geteuid() == 0) return RSM_OK;
  bus->declines = true;
  const rsm__bus_method method = {"/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority",
                                  "RegisterAuthenticationAgent", NULL};
  rsm_error why = {0};
  rsm_status status = call_at(bus, "org.freedesktop.PolicyKit1", &method, NULL, &why, "(sa{sv})ss", "unix-process", 2u,
                              "pid", "u", (uint32_t)getpid(), "start-time", "t", (uint64_t)0, "C", "/none");
  if (status == RSM_OK || (status != RSM_TIMEOUT && !rsm__is_shortage(status) && !bus->broken)) return RSM_OK;
  if (reterr) *reterr = why;
  return status;
}

rsm_status rsm__bus_call(rsm__bus *bus, const rsm__bus_method *method, rsm__bus_reply *ret_reply, rsm_error *reterr,
                         const char *types, ...) {
  rsm_status declined = method->interface ? RSM_OK : decline_passwords(bus, reterr);
  if (declined != RSM_OK) return declined;
  va_list values;
  va_start(values, types);
  rsm_status status = call(bus, DESTINATION, method, ret_reply, reterr, types, values);
  va_end(values);
  return status;
}

bool rsm__bus_refused_with(const rsm__bus *bus, const char *name) {
  return strcmp(bus->refusal, name) == 0;
}

rsm_status rsm__bus_read_result(const rsm__bus_reply *reply, rsm_error *reterr, int result) {
  if (result > 0) return RSM_OK;
  return fail_sd(reply->bus, result < 0 ? result : -ENXIO, NULL, reterr);
}

/* ---- Jobs ---- */

static rsm_status add_match(rsm__bus *bus, const char *rule, rsm_error *reterr) {
  const rsm__bus_method method = {"/org/freedesktop/DBus", MESSAGE_BUS, "AddMatch", NULL};
  return call_at(bus, MESSAGE_BUS, &method, NULL, reterr, "s", rule);
}

rsm_status rsm__bus_subscribe(rsm__bus *bus, rsm_error *reterr) {
  if (bus->subscribed) return RSM_OK;
  if (bus->on_message_bus) {
    rsm_status status = add_match(bus,
                                  "type='signal',sender='org.freedesktop.systemd1',"
                                  "interface='org.freedesktop.systemd1.Manager',member='JobRemoved'",
                                  reterr);
    if (status == RSM_OK)
      status = add_match(bus,
                         "type='signal',sender='org.freedesktop.systemd1',"
                         "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',"
                         "path_namespace='/org/freedesktop/systemd1/unit'",
                         reterr);
    if (status != RSM_OK) return status;
  }
  RSM_CLEAN_REPLY rsm__bus_reply reply = {0};
  const rsm__bus_method method = {.member = "Subscribe"};
  rsm_status status = rsm__bus_call(bus, &method, &reply, reterr, "");
  if (status != RSM_OK) return status;
  if (bus->on_message_bus)
    copy_words(bus->manager, sizeof bus->manager, bus->library.bus_message_get_sender(reply.message));
  bus->subscribed = true;
  return RSM_OK;
}

static bool number_of_job(const char *path, uint32_t *ret_id) {
  static const char before[] = "/org/freedesktop/systemd1/job/";
  uint64_t id = 0;
  if (strncmp(path, before, sizeof before - 1) != 0) return false;
  const char *at = path + sizeof before - 1;
  if (!*at) return false;
  for (; *at >= '0' && *at <= '9' && id <= UINT32_MAX; at++) id = id * 10 + (uint64_t)(*at - '0');
  *ret_id = (uint32_t)id;
  return !*at && id <= UINT32_MAX;
}

rsm_status rsm__bus_enqueue(rsm__bus *bus, const rsm__bus_method *method, uint32_t *ret_job, rsm_error *reterr,
                            const char *types, ...) {
  rsm_status status = rsm__bus_subscribe(bus, reterr);
  if (status != RSM_OK) return status;
  /* Before the question: once it is answered the job exists and nothing may fail. */
  if (rsm__grow(&bus->jobs, &bus->job_capacity, bus->job_count + 1, sizeof *bus->jobs) < 0)
    return rsm__fail_memory(reterr);
  RSM_CLEAN_REPLY rsm__bus_reply reply = {0};
  va_list values;
  va_start(values, types);
  status = call(bus, DESTINATION, method, &reply, reterr, types, values);
  va_end(values);
  if (status != RSM_OK) return status;
  const char *path;
  uint32_t id;
  status = rsm__bus_read(&reply, reterr, "o", &path);
  if (status != RSM_OK) return status;
  if (!number_of_job(path, &id)) return fail_sd(bus, -EBADMSG, method->subject, reterr);
  /* Its end is told after the answer that was read just now, and nothing has been read since. */
  bus->jobs[bus->job_count++] = (job){.id = id};
  *ret_job = id;
  return RSM_OK;
}

static size_t index_of_job(const rsm__bus *bus, uint32_t id) {
  size_t i = 0;
  while (i < bus->job_count && bus->jobs[i].id != id) i++;
  return i;
}

static bool is_ended(const rsm__bus *bus, const void *what) {
  size_t i = index_of_job(bus, *(const uint32_t *)what);
  return i == bus->job_count || bus->jobs[i].ended;
}

rsm_status rsm__bus_wait_job(rsm__bus *bus, uint32_t id, uint64_t deadline_ms, const char **ret_result,
                             rsm_error *reterr) {
  size_t i = index_of_job(bus, id);
  if (i == bus->job_count) return rsm__fail(reterr, RSM_NOT_FOUND, NULL, "no such job was asked for");
  rsm_status status = RSM_OK;
  if (bus->broken && !bus->jobs[i].ended) status = fail_sd(bus, -ECONNRESET, NULL, reterr);
  if (status == RSM_OK && !bus->jobs[i].ended) status = move(bus, is_ended, &id, deadline_ms, bus->task, reterr);
  if (status == RSM_TIMEOUT) return rsm__fail(reterr, RSM_TIMEOUT, NULL, "the service manager's job goes on");
  if (status == RSM_CANCELLED) return rsm__fail(reterr, RSM_CANCELLED, NULL, NULL);
  if (status != RSM_OK) return status;
  memcpy(bus->result, bus->jobs[i].result, sizeof bus->result);
  bus->jobs[i] = bus->jobs[--bus->job_count];
  *ret_result = bus->result;
  return RSM_OK;
}

/* Handles what is there, and gives what to poll. True: something was told. */
static bool drain(rsm__bus *bus, uint64_t deadline_ms, struct pollfd *ret_poll) {
  const rsm__sd_bus *library = &bus->library;
  *ret_poll = (struct pollfd){.fd = -1};
  if (bus->broken || bus->hung) return false;
  int result;
  do {
    result = library->bus_process(bus->connection, NULL);
  } while (result > 0 && !bus->news && until(deadline_ms) > 0);
  if ((result < 0 && result != -EINTR && result != -EAGAIN) || !library->bus_is_open(bus->connection)) {
    bus->broken = true;
    return true;
  }
  int events = library->bus_get_events(bus->connection);
  *ret_poll = (struct pollfd){.fd = library->bus_get_fd(bus->connection), .events = (short)(events < 0 ? 0 : events)};
  bool news = bus->news;
  bus->news = false;
  return news;
}

void rsm__bus_wait_any(rsm__bus *const *buses, size_t count, uint64_t deadline_ms, rsm__task *task) {
  struct pollfd ready[CONNECTIONS_MAX + 1];
  uint64_t soon = rsm__clock_ms() + TICK_MS;
  if (count > CONNECTIONS_MAX && deadline_ms > soon) deadline_ms = soon; /* the others are not listened to */
  for (;;) {
    bool news = false;
    size_t used = 0;
    for (size_t i = 0; i < count && used < CONNECTIONS_MAX; i++)
      if (buses[i]) news = drain(buses[i], deadline_ms, &ready[used++]) || news;
    ready[used++] = (struct pollfd){.fd = task ? rsm__task_wake_fd(task) : -1, .events = POLLIN};
    int left = until(deadline_ms);
    if (news || left == 0 || (task && rsm__task_cancelled(task))) return;
    if (poll(ready, (nfds_t)used, left) < 0 && errno != EINTR) return;
  }
}
