/* bus.h: a connection to one systemd manager, over libsystemd's sd-bus, which is loaded when it is needed first.
 *
 * root talks to the system's manager through its private socket (no message bus needed), others over the system bus. A
 * user's own manager is reached through its private socket, which belongs to the user: root connects by a child that
 * has become that user and hands the connection over. Nothing is taken from the environment.
 *
 * Every question has a limit (RSM__BUS_LIMIT_MS), and so have all that are answered slowly together. After the first
 * one that was not answered within it all others fail with RSM_TIMEOUT at once. Nobody is ever asked for a password.
 * Used by one thread; no use after a fork. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_BUS_H
#define RSM_OS_LINUX_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "os/linux/sd_bus.h"
#include "os/task.h"

typedef struct rsm__bus rsm__bus;

enum { RSM__BUS_LIMIT_MS = 5000, RSM__BUS_SLOW_MS = 250, RSM__BUS_PATIENCE_MS = 20000 };

/* RSM_NOT_SUPPORTED: no libsystemd, or no systemd runs here; in words. RSM_ACCESS_DENIED: we may not reach that
 * manager (another user's, and we are not root). RSM_NOT_FOUND: that user has no manager running. RSM_TIMEOUT.
 * The task (NULL: none) is borrowed: cancelling it ends waits for jobs, not single questions. */
rsm_status rsm__bus_open(bool user_manager, uint32_t owner, rsm__task *task, rsm__bus **ret_bus, rsm_error *reterr);
rsm__bus *rsm__bus_close(rsm__bus *bus); /* NULL-tolerant; returns NULL */
static inline void rsm__bus_clean(rsm__bus **bus) {
  *bus = rsm__bus_close(*bus);
}
#define RSM_CLEAN_BUS RSM_CLEAN(rsm__bus_clean)
/* Does systemd run here? RSM_NOT_SUPPORTED: it does not. */
rsm_status rsm__bus_check_booted(rsm_error *reterr);
/* The other side has gone away (systemd has re-executed itself): only a new connection helps. */
bool rsm__bus_is_broken(const rsm__bus *bus);
bool rsm__bus_is_users(const rsm__bus *bus, uint32_t *ret_owner); /* false: it is the system's manager */

/* ---- Questions ---- */

/* An answer; text that is read from it lives as long. Zero-initialise. */
typedef struct rsm__bus_reply {
  rsm__bus *bus;
  sd_bus_message *message;
} rsm__bus_reply;
void rsm__bus_reply_done(rsm__bus_reply *reply);
#define RSM_CLEAN_REPLY RSM_CLEAN(rsm__bus_reply_done)

typedef struct rsm__bus_method {
  const char *path;      /* NULL: the manager's object */
  const char *interface; /* NULL: org.freedesktop.systemd1.Manager */
  const char *member;    /* static text: an error keeps it */
  const char *subject;   /* what an error is about; may be NULL */
} rsm__bus_method;

/* Calls the method with arguments as sd_bus_message_append takes them. ret_reply may be NULL; on failure it is
 * untouched. A refusal is a status with the manager's words in the error's detail and its D-Bus name in os_text:
 * RSM_NO_SUCH_SERVICE (NoSuchUnit), RSM_ACCESS_DENIED, RSM_TIMEOUT, RSM_NOT_SUPPORTED, RSM_BUSY, RSM_GEN_FAILURE.
 * Blocks for at most RSM__BUS_LIMIT_MS. */
rsm_status rsm__bus_call(rsm__bus *bus, const rsm__bus_method *method, rsm__bus_reply *ret_reply, rsm_error *reterr,
                         const char *types, ...);
/* Whether the last call was refused with this D-Bus error ("org.freedesktop.DBus.Error.InvalidArgs"). */
bool rsm__bus_refused_with(const rsm__bus *bus, const char *name);

/* Reads the next values of the answer, for all types that sd_bus_message_read knows. */
#define rsm__bus_read(reply, reterr, ...)                                                                              \
  rsm__bus_read_result((reply), (reterr),                                                                              \
                       rsm__bus_library((reply)->bus)->bus_message_read((reply)->message, __VA_ARGS__))
const rsm__sd_bus *rsm__bus_library(const rsm__bus *bus);
rsm_status rsm__bus_read_result(const rsm__bus_reply *reply, rsm_error *reterr, int result);

/* ---- Units and their properties ---- */

typedef struct rsm__bus_texts {
  const char *const *items;
  size_t count;
} rsm__bus_texts;

typedef struct rsm__bus_property {
  const char *name;
  const char *type; /* "s", "o": const char *; "b": bool; "u": uint32_t; "i": int32_t; "t": uint64_t; "as": texts */
  void *value;
} rsm__bus_property;

/* The object path of a unit, in the arena; NULL: out of memory. A manager loads a unit that is asked for by it: one
 * that does not exist answers with LoadState "not-found". */
const char *rsm__bus_unit_path(const char *name, rsm__arena *arena);
/* One question: all properties of the interface, of which the wanted ones are stored, text in the arena. What the
 * object lacks, or has with another type, is untouched. More than RSM__BUS_TEXTS_MAX texts in one: RSM_MORE_DATA. */
enum { RSM__BUS_TEXTS_MAX = 20000 };
rsm_status rsm__bus_get_all(rsm__bus *bus, const char *path, const char *interface, const rsm__bus_property *wanted,
                            size_t count, rsm__arena *arena, rsm_error *reterr);
/* One property. RSM_NOT_FOUND: the object lacks it, or has it with another type. */
rsm_status rsm__bus_get(rsm__bus *bus, const char *path, const char *interface, const rsm__bus_property *wanted,
                        rsm__arena *arena, rsm_error *reterr);

/* ---- Jobs ---- */

/* Calls a method that answers with a job (StartUnit, StartTransientUnit, ...); its end is remembered until it is waited
 * for. */
rsm_status rsm__bus_enqueue(rsm__bus *bus, const rsm__bus_method *method, uint32_t *ret_job, rsm_error *reterr,
                            const char *types, ...);
/* Blocks until the job has ended: RSM_OK, and *ret_result is "done", "failed", "canceled", "timeout", "dependency",
 * "skipped", "assert", ... (valid until the next job is waited for). RSM_TIMEOUT: it goes on. RSM_CANCELLED: so does
 * it. RSM_GEN_FAILURE: the connection broke; ask for the unit's state. */
rsm_status rsm__bus_wait_job(rsm__bus *bus, uint32_t job, uint64_t deadline_ms, const char **ret_result,
                             rsm_error *reterr);
/* From now on the manager tells of ends of jobs and changes of units (rsm__bus_enqueue does it, too). */
rsm_status rsm__bus_subscribe(rsm__bus *bus, rsm_error *reterr);
/* Blocks until one of the managers (NULL elements are passed over) has told of something since the last call,
 * deadline_ms (rsm__clock_ms) has come, or the task (NULL: none) is cancelled. */
void rsm__bus_wait_any(rsm__bus *const *buses, size_t count, uint64_t deadline_ms, rsm__task *task);

#endif
