/* agent.c: a polkit agent for the logind session that it runs in, as a desktop has one: who would be asked for a
 * password. It never answers, as if somebody were thinking about theirs.
 *
 *   agent     prints "registered SESSION", then "asked ACTION" whenever polkit asks; ends with its standard input
 *
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-login.h>
#include <unistd.h>

enum { HARD_LIMIT_SECONDS = 60 };

static const char OBJECT[] = "/agent";

static void must(int result, const char *what, const char *why) {
  if (result >= 0) return;
  fprintf(stderr, "agent: %s: %s\n", what, why ? why : strerror(-result));
  exit(2);
}

/* 1: handled, and so no answer is sent. */
static int on_call(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
  const char *action = NULL;
  (void)userdata;
  (void)ret_error;
  if (sd_bus_message_is_method_call(message, NULL, "BeginAuthentication") <= 0) return 0;
  must(sd_bus_message_read(message, "s", &action), "what polkit asks", NULL);
  printf("asked %s\n", action);
  fflush(stdout);
  return 1;
}

static void register_agent(sd_bus *bus) {
  sd_bus_error error = SD_BUS_ERROR_NULL;
  char *session = NULL;
  must(sd_pid_get_session(0, &session), "no session", NULL);
  int result = sd_bus_call_method(bus, "org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority",
                                  "org.freedesktop.PolicyKit1.Authority", "RegisterAuthenticationAgent", &error, NULL,
                                  "(sa{sv})ss", "unix-session", 1, "session-id", "s", session, "C", OBJECT);
  must(result, "RegisterAuthenticationAgent", error.message);
  printf("registered %s\n", session);
  fflush(stdout);
  free(session);
  sd_bus_error_free(&error);
}

static bool input_has_ended(void) {
  char bytes[64];
  return read(STDIN_FILENO, bytes, sizeof bytes) <= 0;
}

int main(void) {
  sd_bus *bus = NULL;
  alarm(HARD_LIMIT_SECONDS);
  must(sd_bus_open_system(&bus), "no system message bus", NULL);
  must(sd_bus_add_object(bus, NULL, OBJECT, on_call, NULL), "sd_bus_add_object", NULL);
  register_agent(bus);
  for (;;) {
    int result = sd_bus_process(bus, NULL);
    must(result, "sd_bus_process", NULL);
    if (result > 0) continue;
    struct pollfd ready[2] = {{.fd = sd_bus_get_fd(bus), .events = (short)sd_bus_get_events(bus)},
                              {.fd = STDIN_FILENO, .events = POLLIN}};
    if (poll(ready, 2, -1) < 0) must(-errno, "poll", NULL);
    if (ready[1].revents && input_has_ended()) break;
  }
  sd_bus_flush_close_unref(bus);
  return 0;
}
