/* rsm.h: the public C interface of restartmanager.
 * SPDX-License-Identifier: MIT
 *
 * A session collects resources (files, processes, services), tells which applications use them, stops those in good
 * order, and starts them again. The process that starts a session is its primary installer; others join by the session
 * key and register their own resources (secondary installers).
 *
 * Conventions
 *  - Every function that can fail returns rsm_status and fills *reterr, which may be NULL. Outputs are named ret_...
 * and are untouched on failure. What is returned through ret_ belongs to the caller; plain returned pointers are
 * borrowed.
 *  - Option structs: all zero means the defaults; NULL means all zero.
 *  - Text is UTF-8; on Linux a path is its bytes as they are.
 *  - A session and what comes from it is used by one thread at a time; rsm_session_cancel alone may come from another.
 *    Different sessions in different threads do not disturb each other.
 *  - The library never prints, exits, installs signal handlers or changes the working directory.
 *  - After fork() the child's copy of a session answers RSM_INVALID_HANDLE; freeing it there releases memory only.
 */
#ifndef RSM_H
#define RSM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define RSM_API __attribute__((visibility("default")))
#else
#define RSM_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status ------------------------------------------------------------------------------------------------------ */

/* X(name, stable code word, the Restart Manager's number, message). Numbers are Win32's, on every system. */
#define RSM_STATUS_MAP(X)                                                                                              \
  X(OK, "success", 0, "success")                                                                                       \
  X(PENDING, "pending", 997, "the operation is still under way")                                                       \
  X(BAD_ARGUMENTS, "bad_arguments", 160, "an argument is not valid")                                                   \
  X(ACCESS_DENIED, "access_denied", 5, "access denied")                                                                \
  X(INVALID_HANDLE, "invalid_handle", 6, "the session has ended or is closed")                                         \
  X(FILE_NOT_FOUND, "file_not_found", 2, "no such file or filter")                                                     \
  X(NOT_FOUND, "not_found", 1168, "not found")                                                                         \
  X(NOT_SUPPORTED, "not_supported", 50, "not supported here")                                                          \
  X(BUSY, "busy", 170, "another operation of the session is under way")                                                \
  X(NO_SUCH_SERVICE, "service_does_not_exist", 1060, "no such service")                                                \
  X(MAX_SESSIONS, "max_sessions_reached", 353, "no more sessions can be opened")                                       \
  X(NOACTION_REBOOT, "fail_noaction_reboot", 350, "a reboot would be needed; nothing was shut down")                   \
  X(FAIL_SHUTDOWN, "fail_shutdown", 351, "some applications could not be shut down")                                   \
  X(FAIL_RESTART, "fail_restart", 352, "some applications could not be restarted")                                     \
  X(OUT_OF_SEQUENCE, "request_out_of_sequence", 776, "shutdown has not been called in this session")                   \
  X(CREDENTIAL_CONFLICT, "session_credential_conflict", 1219, "not allowed for this session key or role")              \
  X(CANCELLED, "cancelled", 1223, "cancelled")                                                                         \
  X(ENVVAR_NOT_FOUND, "envvar_not_found", 203, "the environment variable is not set")                                  \
  X(INVALID_PARAMETER, "invalid_parameter", 87, "a value is out of its range")                                         \
  X(MORE_DATA, "more_data", 234, "there is more than was expected")                                                    \
  X(WRITE_FAULT, "write_fault", 29, "the session's records could not be written or read")                              \
  X(OUT_OF_MEMORY, "outofmemory", 14, "out of memory")                                                                 \
  X(SEM_TIMEOUT, "sem_timeout", 121, "the session's lock was not released in time")                                    \
  X(INSTALL_FAILURE, "install_failure", 1603, "the program failed")                                                    \
  X(TIMEOUT, "timeout", 1460, "the time limit has passed")                                                             \
  X(GEN_FAILURE, "gen_failure", 31, "the system reported an unexpected failure")

typedef enum rsm_status {
#define X(name, code, number, message) RSM_##name,
  RSM_STATUS_MAP(X)
#undef X
      RSM_STATUS_COUNT
} rsm_status;

/* The stable lower-case word ("fail_shutdown"), the Win32 number (351), a one-line message. Never NULL. */
RSM_API const char *rsm_status_code(rsm_status status);
RSM_API int rsm_status_number(rsm_status status);
RSM_API const char *rsm_status_message(rsm_status status);

/* What went wrong, in the caller's memory: filling it never allocates. All text is NUL-terminated, cut if too long. */
typedef struct rsm_error {
  rsm_status status;
  int os_code;       /* errno or GetLastError() of the failed call; 0 if no system call failed */
  const char *call;  /* the system call that failed, static text; NULL if none */
  char subject[256]; /* the path, process or service concerned; "" if none */
  char detail[384];  /* what was wrong and what to do about it; "" means: the status' message says it */
  char os_text[96];  /* the system's own words for os_code */
} rsm_error;

/* Writes one line, "detail: 'subject' (call: os_text)", into buf (size > 0) and returns buf. */
RSM_API const char *rsm_error_format(const rsm_error *error, char *buf, size_t size);

/* "0.1.0" */
RSM_API const char *rsm_version(void);

/* ---- Processes, applications, lists
 * ---------------------------------------------------------------------------------- */

/* Identifies a process for ever, unlike its pid alone. */
typedef struct rsm_process {
  uint32_t pid;
  uint64_t start_time; /* opaque: on Linux clock ticks since boot, on Windows a FILETIME. 0: not known */
  uint64_t instance;   /* the pidfd's inode where the kernel has one, else 0. Compared only if both sides have it */
} rsm_process;

/* True if a and b name the same process. */
RSM_API bool rsm_process_equal(const rsm_process *a, const rsm_process *b);

/* RM_APP_TYPE's values. */
typedef enum rsm_app_type {
  RSM_APP_UNKNOWN = 0,
  RSM_APP_MAIN_WINDOW = 1,
  RSM_APP_OTHER_WINDOW = 2,
  RSM_APP_SERVICE = 3,
  RSM_APP_EXPLORER = 4,
  RSM_APP_CONSOLE = 5,
  RSM_APP_CRITICAL = 1000
} rsm_app_type;

/* RM_APP_STATUS's bits: a history, not a state. */
enum {
  RSM_APP_RUNNING = 0x01,
  RSM_APP_STOPPED = 0x02,
  RSM_APP_STOPPED_OTHER = 0x04,
  RSM_APP_RESTARTED = 0x08,
  RSM_APP_ERROR_ON_STOP = 0x10,
  RSM_APP_ERROR_ON_RESTART = 0x20,
  RSM_APP_SHUTDOWN_MASKED = 0x40,
  RSM_APP_RESTART_MASKED = 0x80
};

/* RM_REBOOT_REASON's bits. */
enum {
  RSM_REBOOT_PERMISSION_DENIED = 0x01,
  RSM_REBOOT_SESSION_MISMATCH = 0x02,
  RSM_REBOOT_CRITICAL_PROCESS = 0x04,
  RSM_REBOOT_CRITICAL_SERVICE = 0x08,
  RSM_REBOOT_DETECTED_SELF = 0x10
};

/* How a process uses a registered file. */
typedef enum rsm_use_how {
  RSM_USE_OPEN, /* an open descriptor */
  RSM_USE_MAP,  /* a mapping: library or data */
  RSM_USE_EXEC, /* the running image */
  RSM_USE_CWD,  /* working directory; stops nobody unless asked for */
  RSM_USE_ROOT, /* root directory; the same */
  RSM_USE_LOOP, /* backing file of a loop device (no process) */
  RSM_USE_SWAP, /* swap space (no process) */
  RSM_USE_MOUNT /* source of a mount (no process) */
} rsm_use_how;

enum { RSM_ACCESS_READ = 1, RSM_ACCESS_WRITE = 2 };

typedef struct rsm_use {
  const char *path;     /* the file: as registered, for a registered directory that plus the rest */
  const char *resource; /* the registered resource */
  rsm_use_how how;
  uint32_t access; /* RSM_ACCESS_ bits; 0 where the word does not apply (O_PATH, cwd, root) */
  int fd;          /* descriptor number, -1 if not an open descriptor */
  bool deleted;    /* a deleted or replaced file's old inode */
} rsm_use;

/* What would bring an application back. */
typedef enum rsm_restart_by {
  RSM_RESTART_BY_NONE,
  RSM_RESTART_BY_REGISTRATION,
  RSM_RESTART_BY_SERVICE,
  RSM_RESTART_BY_COMMAND /* the captured command: only with restart{unregistered} */
} rsm_restart_by;

/* Why a stopped application was not started again. */
typedef enum rsm_left_why {
  RSM_LEFT_NONE,
  RSM_LEFT_NOT_REGISTERED,
  RSM_LEFT_RESTART_MASKED,
  RSM_LEFT_NO_PATCH,
  RSM_LEFT_OTHER_USER,
  RSM_LEFT_BY_PARENT,     /* a stopped ancestor was started, and brings it back */
  RSM_LEFT_NOT_RESTORABLE /* its surroundings cannot be made again from here: note tells which */
} rsm_left_why;

/* RM_PROCESS_INFO and more. All memory belongs to the list. */
typedef struct rsm_app {
  rsm_process process; /* pid 0: no process (a stopped service, a mount) */
  int64_t started_at;  /* Unix seconds, 0 unknown */
  const char *name;    /* never NULL */
  const char *service; /* short name ("nginx"; of what is no service but starts one, all of it); NULL for others */
  rsm_app_type type;
  uint32_t status;           /* RSM_APP_ bits */
  const char *logon_session; /* NULL unknown */
  bool restartable;          /* registered for restart after an update, or a service */
  rsm_restart_by restart_by;
  uint32_t reboot_reasons; /* RSM_REBOOT_ bits */
  bool affected;           /* false: uses the files only as working or root directory: is listed, stops for nobody */
  const rsm_use *uses;
  size_t use_count;
  const char *user;           /* account name, else the number; NULL unknown */
  const char *exe;            /* NULL unknown */
  const char *const *command; /* argv */
  size_t command_count;
  const rsm_process *processes; /* of a service: all that it runs; of others NULL */
  size_t process_count;
  const char *const *dependents; /* of a service: what else goes down with it, and comes back with it; short names */
  size_t dependent_count;
  const char *note; /* remark for people: why not restartable, where it was started; NULL none */
  /* in reports only */
  rsm_left_why left_why;
  rsm_error error;          /* status RSM_OK: none */
  rsm_process restarted_as; /* pid 0: was not */
} rsm_app;

/* Something that could not be inspected: a process, or a path (timed out, another mount below a directory). */
typedef struct rsm_unreadable {
  rsm_process process; /* pid 0: about a path, or about the whole system */
  const char *name;    /* NULL unknown */
  const char *user;    /* NULL unknown */
  const char *path;    /* NULL: about a process */
  const char *reason;  /* never NULL */
} rsm_unreadable;

typedef struct rsm_list rsm_list;
RSM_API size_t rsm_list_count(const rsm_list *list);
RSM_API const rsm_app *rsm_list_at(const rsm_list *list, size_t index); /* 0-based; NULL beyond the end */
RSM_API uint32_t rsm_list_reboot_reasons(const rsm_list *list);
RSM_API bool rsm_list_complete(const rsm_list *list);
RSM_API size_t rsm_list_unreadable_count(const rsm_list *list);
RSM_API const rsm_unreadable *rsm_list_unreadable_at(const rsm_list *list, size_t index);
RSM_API rsm_list *rsm_list_free(rsm_list *list); /* NULL-tolerant; returns NULL */

/* What a shutdown or restart did: each a list of applications. */
typedef enum rsm_outcome {
  RSM_OUTCOME_STOPPED,      /* ended after we asked or killed it */
  RSM_OUTCOME_GONE,         /* had ended by itself before we asked */
  RSM_OUTCOME_ALIVE,        /* still runs */
  RSM_OUTCOME_KEPT,         /* a no_shutdown filter kept it */
  RSM_OUTCOME_NEW,          /* uses the files now and was not listed before */
  RSM_OUTCOME_RESTARTED,    /* runs again */
  RSM_OUTCOME_FAILED,       /* could not be started */
  RSM_OUTCOME_LEFT_STOPPED, /* on purpose: left_why */
  RSM_OUTCOME_COUNT
} rsm_outcome;

typedef struct rsm_report rsm_report;
RSM_API size_t rsm_report_count(const rsm_report *report, rsm_outcome outcome);
RSM_API const rsm_app *rsm_report_at(const rsm_report *report, rsm_outcome outcome, size_t index);
RSM_API rsm_report *rsm_report_free(rsm_report *report);

/* ---- Sessions
 * ---------------------------------------------------------------------------------------------------------- */

#define RSM_KEY_LENGTH 32
#define RSM_KEY_VARIABLE "RESTARTMANAGER_SESSION_KEY"

typedef enum rsm_role { RSM_PRIMARY, RSM_SECONDARY } rsm_role;
typedef struct rsm_session rsm_session;

typedef struct rsm_start_options {
  const char *manager;          /* "builtin", "system", "fake"; NULL: this system's default */
  const char *name;             /* for people and for recovery: the installer's name; at most 255 bytes; NULL: none */
  bool restart_unregistered;    /* restart's default for applications that did not register; kept in the journal */
  const rsm_process *stoppable; /* ancestors of ours that may be stopped all the same */
  size_t stoppable_count;
  bool no_bpf; /* this session's listings look through /proc only, see rsm_scanner */
} rsm_start_options;

/* True if a manager of that name is known to this build at all (it may still lack support on this system). */
RSM_API bool rsm_manager_known(const char *name);

/* Starts a session; the caller becomes its primary installer.
 * RSM_BAD_ARGUMENTS: unknown manager, bad name. RSM_NOT_SUPPORTED: the manager is not available on this system, or
 * never does what an option asks for (without a name the next best one is tried then): the system's Restart Manager of
 * Windows restarts nobody who has not registered. RSM_MAX_SESSIONS: its 64 sessions, of all programs of this user, are
 * in use. RSM_ACCESS_DENIED, RSM_WRITE_FAULT: no private place for the session; the detail
 * names each place and what is wrong.
 */
RSM_API rsm_status rsm_session_start(const rsm_start_options *options, rsm_session **ret_session, rsm_error *reterr);

/* Joins a running session as a secondary installer. key: 32 hex digits in either case; NULL: from RSM_KEY_VARIABLE.
 * RSM_ENVVAR_NOT_FOUND, RSM_CREDENTIAL_CONFLICT (malformed, unknown, another user's, ended). */
RSM_API rsm_status rsm_session_join(const char *key, rsm_session **ret_session, rsm_error *reterr);

/* Takes over a session whose primary has died: role primary, in the state after shutdown. Waits, within the grace that
 * was left, for those who had already been asked to stop; starts nothing. RSM_CREDENTIAL_CONFLICT: unknown key.
 * RSM_BUSY: its primary lives, or somebody else is adopting it. */
RSM_API rsm_status rsm_session_adopt(const char *key, rsm_session **ret_session, rsm_error *reterr);

/* Borrowed; readable after rsm_session_end, too. */
RSM_API const char *rsm_session_key(const rsm_session *session);
RSM_API rsm_role rsm_session_role(const rsm_session *session);
RSM_API bool rsm_session_is_open(const rsm_session *session);
/* True if something was stopped, or asked to stop, and no restart has started it or decided to leave it since. False in
 * a forked child. */
RSM_API bool rsm_session_owes_restart(const rsm_session *session);

typedef enum rsm_end_how {
  RSM_END_LEAVE_ABANDONED, /* if it owes a restart it stays in the store, to be adopted; else it is removed. The system
                              manager has no store: it restarts first, and waits for it */
  RSM_END_LEAVE_STOPPED    /* RmEndSession's way: what is stopped stays stopped and is forgotten */
} rsm_end_how;

/* Ends the session (a secondary: leaves it; what it registered stays). Starts nothing and does not wait, except that an
 * operation under way is cancelled and settled first (it stays valid, and done, until it is freed). Afterwards only
 * key, role, is_open and free are of use. RSM_INVALID_HANDLE: has ended already. */
RSM_API rsm_status rsm_session_end(rsm_session *session, rsm_end_how how, rsm_error *reterr);
/* Ends it with RSM_END_LEAVE_ABANDONED if still open, and frees it. NULL-tolerant; returns NULL. */
RSM_API rsm_session *rsm_session_free(rsm_session *session);

/* The sessions of this user, on this boot, whose primary lives or that stopped something. */
typedef struct rsm_session_info {
  const char *key;
  const char *name; /* NULL none */
  bool abandoned;
  int64_t started_at;
  rsm_process primary;
  const rsm_list *stopped; /* what it has stopped and not brought back */
} rsm_session_info;
typedef struct rsm_sessions rsm_sessions;
RSM_API rsm_status rsm_sessions_list(rsm_sessions **ret_sessions, rsm_error *reterr);
RSM_API size_t rsm_sessions_count(const rsm_sessions *sessions);
RSM_API const rsm_session_info *rsm_sessions_at(const rsm_sessions *sessions, size_t index);
RSM_API rsm_sessions *rsm_sessions_free(rsm_sessions *sessions);

/* ---- Resources
 * --------------------------------------------------------------------------------------------------------- */

typedef struct rsm_resources {
  const char *const *files; /* relative paths are made absolute now; missing ones and directories are welcome */
  size_t file_count;
  const rsm_process *processes; /* start_time 0: bound to the running process now (RSM_NOT_FOUND if there is none) */
  size_t process_count;
  const char *const *services; /* "nginx" or "nginx.service": of the system's manager, else of our own user's */
  size_t service_count;
  bool working_directories; /* count working and root directories as uses that stop a process */
} rsm_resources;

/* Adds resources, all or nothing (the system manager: of more than 5,000 files some may have been taken; the error
 * tells how many). Primary or secondary. RSM_NOT_FOUND, RSM_NO_SUCH_SERVICE, RSM_NOT_SUPPORTED (services without a
 * service manager) name the culprit in reterr->subject. RSM_INVALID_HANDLE: the primary has ended the session.
 * RSM_BAD_ARGUMENTS: empty path. */
RSM_API rsm_status rsm_session_register(rsm_session *session, const rsm_resources *resources, rsm_error *reterr);

typedef enum rsm_resource_kind { RSM_RESOURCE_FILE, RSM_RESOURCE_PROCESS, RSM_RESOURCE_SERVICE } rsm_resource_kind;
typedef struct rsm_resource {
  rsm_resource_kind kind;
  const char *name;    /* path or service */
  rsm_process process; /* of kind process */
  rsm_process by;      /* who registered it */
} rsm_resource;
typedef struct rsm_resource_list rsm_resource_list;
/* Everything that was registered, by all installers, as a snapshot (the system manager: by us). Primary only. */
RSM_API rsm_status rsm_session_resources(rsm_session *session, rsm_resource_list **ret_list, rsm_error *reterr);
RSM_API size_t rsm_resource_list_count(const rsm_resource_list *list);
RSM_API const rsm_resource *rsm_resource_list_at(const rsm_resource_list *list, size_t index);
RSM_API rsm_resource_list *rsm_resource_list_free(rsm_resource_list *list);

/* ---- Filters
 * ----------------------------------------------------------------------------------------------------------- */

typedef enum rsm_filter_action { RSM_NO_RESTART = 1, RSM_NO_SHUTDOWN = 2 } rsm_filter_action;
/* Exactly one of exe, process.pid, service is set. */
typedef struct rsm_filter {
  const char *exe; /* the application's program file; relative paths are made absolute */
  rsm_process process;
  const char *service;
  rsm_filter_action action; /* not looked at by remove */
} rsm_filter;

/* Adds or replaces. Primary only. Precedence: process, service, exe. */
RSM_API rsm_status rsm_session_add_filter(rsm_session *session, const rsm_filter *filter, rsm_error *reterr);
/* RSM_FILE_NOT_FOUND: there is no filter for that target. */
RSM_API rsm_status rsm_session_remove_filter(rsm_session *session, const rsm_filter *filter, rsm_error *reterr);
typedef struct rsm_filter_list rsm_filter_list;
RSM_API rsm_status rsm_session_filters(rsm_session *session, rsm_filter_list **ret_list, rsm_error *reterr);
RSM_API size_t rsm_filter_list_count(const rsm_filter_list *list);
RSM_API const rsm_filter *rsm_filter_list_at(const rsm_filter_list *list, size_t index);
RSM_API rsm_filter_list *rsm_filter_list_free(rsm_filter_list *list);

/* ---- Operations: list, shutdown, restart
 * ------------------------------------------------------------------------------- */

typedef struct rsm_op rsm_op;

typedef struct rsm_list_options {
  bool uses; /* the system manager looks for uses only when asked; the others always tell */
} rsm_list_options;

typedef struct rsm_shutdown_options {
  bool force;                   /* kill what does not obey in time; it is asked first all the same */
  bool only_restartable;        /* RSM_FAIL_SHUTDOWN and nothing touched unless every one is restartable */
  uint32_t timeout_ms;          /* grace of a rank; 0: 30,000. The system manager has Windows' own limits */
  uint32_t service_timeout_ms;  /* 0: 20,000; the same */
  const rsm_process *confirmed; /* who may be stopped: others using the files now: RSM_MORE_DATA, nothing touched */
  size_t confirmed_count;
  const char *const *confirmed_services; /* the same by short name: not every service has a process */
  size_t confirmed_service_count;
  bool has_confirmed;
} rsm_shutdown_options;

typedef struct rsm_restart_options {
  bool unregistered;     /* also those that did not register, by the captured command */
  bool has_unregistered; /* false: as rsm_session_start said */
} rsm_restart_options;

/* Begin an operation. One a session: RSM_BUSY otherwise. It moves only when stepped, and must be freed before the
 * session is. Primary only (RSM_CREDENTIAL_CONFLICT).
 * restart: RSM_OUT_OF_SEQUENCE if shutdown was never called. */
RSM_API rsm_status rsm_session_begin_list(rsm_session *session, const rsm_list_options *options, rsm_op **ret_op,
                                          rsm_error *reterr);
RSM_API rsm_status rsm_session_begin_shutdown(rsm_session *session, const rsm_shutdown_options *options,
                                              rsm_op **ret_op, rsm_error *reterr);
RSM_API rsm_status rsm_session_begin_restart(rsm_session *session, const rsm_restart_options *options, rsm_op **ret_op,
                                             rsm_error *reterr);

typedef enum rsm_action {
  RSM_ACTION_NONE,
  RSM_ACTION_ASK,
  RSM_ACTION_WAIT,
  RSM_ACTION_KILL,
  RSM_ACTION_STOPPED,
  RSM_ACTION_KEPT,
  RSM_ACTION_FAILED,
  RSM_ACTION_START,
  RSM_ACTION_RESTARTED
} rsm_action;

typedef struct rsm_event {
  rsm_action action;  /* RSM_ACTION_NONE: nothing happened in this step */
  const rsm_app *app; /* valid until the next step or free */
  rsm_error error;    /* of RSM_ACTION_FAILED */
} rsm_event;

/* Moves the operation on for at most timeout_ms (0: never blocks, UINT32_MAX: until something happens) and returns
 * after at most one event. RSM_PENDING: keep stepping. RSM_OK: done, for ever after; rsm_op_status tells how it went.
 * In a forked child nothing moves: RSM_OK at once, while rsm_op_status stays RSM_PENDING. */
RSM_API rsm_status rsm_op_step(rsm_op *op, uint32_t timeout_ms, rsm_event *ret_event);
/* 0..100, never falling; 100 only if done and successful. */
RSM_API unsigned rsm_op_percent(const rsm_op *op);
/* RSM_PENDING before done; then the operation's own status, with its error. */
RSM_API rsm_status rsm_op_status(const rsm_op *op, rsm_error *reterr);
/* Asks it to stop early; keep stepping until done. Idempotent. */
RSM_API void rsm_op_cancel(rsm_op *op);
/* A descriptor that polls readable when step(0) would advance, deadlines included. Owned by the operation.
 * RSM_NOT_SUPPORTED where the system has none. */
RSM_API rsm_status rsm_op_fd(const rsm_op *op, int *ret_fd, rsm_error *reterr);
/* After done: hand the result to the caller, once; NULL if there is none. */
RSM_API rsm_list *rsm_op_take_list(rsm_op *op);
RSM_API rsm_report *rsm_op_take_report(rsm_op *op);
/* Cancels and settles it if it is not done (a wait of at most a few seconds), frees it. NULL-tolerant; returns NULL. */
RSM_API rsm_op *rsm_op_free(rsm_op *op);

/* Cancels the operation under way, from any thread; success if there is none, and the next one is not affected. */
RSM_API rsm_status rsm_session_cancel(rsm_session *session, rsm_error *reterr);

/* The blocking forms: step until done. Any ret_ pointer may be NULL. The report is given on failure, too. */
RSM_API rsm_status rsm_session_list(rsm_session *session, const rsm_list_options *options, rsm_list **ret_list,
                                    rsm_error *reterr);
RSM_API rsm_status rsm_session_shutdown(rsm_session *session, const rsm_shutdown_options *options,
                                        rsm_report **ret_report, rsm_error *reterr);
RSM_API rsm_status rsm_session_restart(rsm_session *session, const rsm_restart_options *options,
                                       rsm_report **ret_report, rsm_error *reterr);

/* ---- Running a secondary installer
 * ------------------------------------------------------------------------------------- */

typedef struct rsm_exit {
  bool signaled;
  int code; /* exit code, or the signal's number */
} rsm_exit;

/* Runs argv[0] (searched in PATH, no shell) with the session key in RSM_KEY_VARIABLE, waits for it. Primary or
 * secondary. RSM_INSTALL_FAILURE: it ended other than by exit code 0. RSM_FILE_NOT_FOUND, RSM_ACCESS_DENIED: could not
 * be run. */
RSM_API rsm_status rsm_session_run(rsm_session *session, const char *const *argv, size_t argc, rsm_exit *ret_exit,
                                   rsm_error *reterr);

/* ---- An application says how it wants to be started again
 * ---------------------------------------------------------------- */

/* RegisterApplicationRestart's flags: when not to restart. */
enum { RSM_RESTART_NO_CRASH = 1, RSM_RESTART_NO_HANG = 2, RSM_RESTART_NO_PATCH = 4, RSM_RESTART_NO_REBOOT = 8 };
#define RSM_RESTART_MAX_LINE 1024 /* characters of all arguments, joined by one blank each */

/* Registers this process. args NULL: its own present arguments. A second call replaces the first.
 * RSM_INVALID_PARAMETER: the line is longer than RSM_RESTART_MAX_LINE. RSM_BAD_ARGUMENTS: unknown flag. */
RSM_API rsm_status rsm_register_restart(const char *const *args, size_t count, uint32_t flags, rsm_error *reterr);
/* RSM_NOT_FOUND: was not registered. */
RSM_API rsm_status rsm_unregister_restart(rsm_error *reterr);

typedef struct rsm_restart_settings {
  const char *const *args;
  size_t arg_count;
  uint32_t flags;
} rsm_restart_settings;
/* What a process registered. start_time 0: whoever has the pid now. RSM_NOT_FOUND: nobody there, or not registered.
 * Free with rsm_restart_settings_free. */
RSM_API rsm_status rsm_restart_settings_get(const rsm_process *process, rsm_restart_settings **ret_settings,
                                            rsm_error *reterr);
RSM_API rsm_restart_settings *rsm_restart_settings_free(rsm_restart_settings *settings);

/* ---- This process
 * ------------------------------------------------------------------------------------------------------ */

typedef struct rsm_self_info {
  rsm_process process;
  rsm_process parent; /* pid 0: none that we can see */
  char exe[4096];
} rsm_self_info;
RSM_API rsm_status rsm_self(rsm_self_info *ret_self, rsm_error *reterr);
/* Which of the two ways of finding holders the last listing of this process took. "proc": through /proc, where
 * everything is looked at. "bpf": by a program that walks through all processes in the kernel and tells whom to look at
 * through /proc; Linux 6.4, root or CAP_BPF and CAP_PERFMON. They find the same: the second is an order of magnitude
 * faster once it is loaded, which the first listing of a process does where it pays, and whatever casts doubt on it
 * leads back to /proc. reason tells why it was not "bpf". RSM_SCAN=proc or RSM_SCAN=bpf in the environment chooses one,
 * for bug reports. */
typedef struct rsm_scanner_info {
  char name[16];    /* "proc", "bpf"; "": none yet, or this system has only one way */
  char reason[256]; /* "" with "bpf" */
  uint64_t took_us; /* looking, without looking up the registered files before and describing who was found after */
} rsm_scanner_info;
RSM_API void rsm_scanner(rsm_scanner_info *ret_info);

/* Binds a pid to the process that has it now. RSM_NOT_FOUND: nobody. */
RSM_API rsm_status rsm_process_find(uint32_t pid, rsm_process *ret_process, rsm_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
