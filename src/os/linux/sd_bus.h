/* sd_bus.h: the part of libsystemd's sd-bus that we use, declared here, since the library is loaded at run time and its
 * header may be missing where we are built. A test compares these declarations with the real ones.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_SD_BUS_H
#define RSM_OS_LINUX_SD_BUS_H

#include <stdarg.h>
#include <stdint.h>

#include "rsm.h"

#define RSM__SD_BUS_ERROR_FIELDS                                                                                       \
  const char *name;                                                                                                    \
  const char *message;                                                                                                 \
  int _need_free;

#ifndef RSM__SD_BUS_REAL /* the test includes the real header before this one */
typedef struct sd_bus sd_bus;
typedef struct sd_bus_message sd_bus_message;
typedef struct sd_bus_slot sd_bus_slot;
typedef struct {
  RSM__SD_BUS_ERROR_FIELDS
} sd_bus_error;
typedef int (*sd_bus_message_handler_t)(sd_bus_message *message, void *userdata, sd_bus_error *ret_error);
#endif

/* X(type of the result, name behind "sd_", arguments). All are older than systemd 240. They give a negative errno. */
#define RSM__SD_BUS_MAP(X)                                                                                             \
  X(int, bus_new, (sd_bus * *ret))                                                                                     \
  X(int, bus_set_fd, (sd_bus * bus, int input_fd, int output_fd))                                                      \
  X(int, bus_set_bus_client, (sd_bus * bus, int yes))                                                                  \
  X(int, bus_start, (sd_bus * bus))                                                                                    \
  X(void, bus_close, (sd_bus * bus))                                                                                   \
  X(sd_bus *, bus_unref, (sd_bus * bus))                                                                               \
  X(int, bus_is_open, (sd_bus * bus))                                                                                  \
  X(int, bus_is_ready, (sd_bus * bus))                                                                                 \
  X(int, bus_get_fd, (sd_bus * bus))                                                                                   \
  X(int, bus_get_events, (sd_bus * bus))                                                                               \
  X(int, bus_process, (sd_bus * bus, sd_bus_message * *ret))                                                           \
  X(int, bus_add_filter, (sd_bus * bus, sd_bus_slot * *ret, sd_bus_message_handler_t callback, void *userdata))        \
  X(int, bus_call_async,                                                                                               \
    (sd_bus * bus, sd_bus_slot * *ret, sd_bus_message * message, sd_bus_message_handler_t callback, void *userdata,    \
     uint64_t usec))                                                                                                   \
  X(sd_bus_slot *, bus_slot_unref, (sd_bus_slot * slot))                                                               \
  X(int, bus_message_new_method_call,                                                                                  \
    (sd_bus * bus, sd_bus_message * *ret, const char *destination, const char *path, const char *interface,            \
     const char *member))                                                                                              \
  X(sd_bus_message *, bus_message_ref, (sd_bus_message * message))                                                     \
  X(sd_bus_message *, bus_message_unref, (sd_bus_message * message))                                                   \
  X(int, bus_message_appendv, (sd_bus_message * message, const char *types, va_list values))                           \
  X(int, bus_message_read, (sd_bus_message * message, const char *types, ...))                                         \
  X(int, bus_message_read_basic, (sd_bus_message * message, char type, void *ret))                                     \
  X(int, bus_message_skip, (sd_bus_message * message, const char *types))                                              \
  X(int, bus_message_enter_container, (sd_bus_message * message, char type, const char *contents))                     \
  X(int, bus_message_exit_container, (sd_bus_message * message))                                                       \
  X(int, bus_message_peek_type, (sd_bus_message * message, char *ret_type, const char **ret_contents))                 \
  X(int, bus_message_is_signal, (sd_bus_message * message, const char *interface, const char *member))                 \
  X(const char *, bus_message_get_path, (sd_bus_message * message))                                                    \
  X(const char *, bus_message_get_sender, (sd_bus_message * message))                                                  \
  X(const sd_bus_error *, bus_message_get_error, (sd_bus_message * message))

typedef struct rsm__sd_bus {
#define X(type, name, arguments) type(*name) arguments; /* NOLINT(bugprone-macro-parentheses): declares */
  RSM__SD_BUS_MAP(X)
#undef X
} rsm__sd_bus;

/* Loads libsystemd, for good, and fills the table. RSM_NOT_SUPPORTED: it is not installed, or lacks a function. */
rsm_status rsm__sd_bus_load(rsm__sd_bus *ret_table, rsm_error *reterr);

#endif
