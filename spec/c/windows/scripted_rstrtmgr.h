/* scripted_rstrtmgr.h: an rstrtmgr.dll that does as it is told and writes down what it was asked, for the test of the
 * `system` manager. It stands in the system's folder of a Wine prefix (tools/in-wine-with); what Windows' own does, or
 * may do, on rare occasions can be had from it at once.
 * SPDX-License-Identifier: MIT */
#ifndef SCRIPTED_RSTRTMGR_H
#define SCRIPTED_RSTRTMGR_H

#include <windows.h>
/* After it. */
#include <restartmanager.h>

enum { SCRIPT_APPS = 8, SCRIPT_CALLS = 64, SCRIPT_PERCENTS = 16, SCRIPT_FILTERS = 8 };

/* What a listing shows. */
typedef struct script_list {
  RM_PROCESS_INFO apps[SCRIPT_APPS];
  UINT count;
  DWORD reasons;
} script_list;

typedef struct script_filter {
  RM_FILTER_ACTION action;
  RM_FILTER_TRIGGER trigger;
  RM_UNIQUE_PROCESS process;
  WCHAR name[300];
} script_filter;

typedef enum script_fault {
  FAULT_NONE,
  FAULT_NAME_OUTSIDE,  /* a name points out of the buffer */
  FAULT_NAME_OPEN,     /* a name does not end within the buffer */
  FAULT_OFFSET_SMALL,  /* the next record begins within this one */
  FAULT_OFFSET_LARGE,  /* it begins beyond the buffer */
  FAULT_TRIGGER,       /* a trigger that does not exist */
  FAULT_MORE_FOR_EVER, /* never enough room */
  FAULT_SIZE_UNTOLD    /* no fault: the size is told only where there was too little room */
} script_fault;

typedef struct script {
  /* Orders. Zero: everything succeeds, nobody is affected. */
  DWORD start_code, join_code, end_code, register_code, list_code, shutdown_code, restart_code, add_filter_code;
  WCHAR key[33];      /* what a session's is: written without an end, as Windows does */
  DWORD first_handle; /* of the next session; the others count up */
  UINT longest_path;  /* longer ones: 29. 0: no limit */
  UINT most_units;    /* of all names in one call: more: 29. 0: no limit */
  UINT most_in_all;   /* files in that session that is written down: more: 29. 0: no limit */
  WCHAR refuses[300]; /* a path that is not taken: 29 */
  int more_data;      /* that many listings say that there is not room enough; -1: all of them */
  UINT growth;        /* by so much the list seems to be longer each time */
  script_list before, after_shutdown, after_restart;
  UINT percents[SCRIPT_PERCENTS]; /* that the callback is told */
  UINT percent_count;
  DWORD waits_ms, list_waits_ms; /* so long shutdown and restart, and listings take, unless they are cancelled: 1223 */
  DWORD deaf_ms;                 /* so long after they have begun a cancel is lost */
  BOOL cancel_waits;             /* RmCancelCurrentTask returns only when the call under way has */
  BOOL foreign_callback;         /* the callback is called on another thread */
  script_fault filter_fault;
  /* What has happened. */
  LONG starts, joins, ends, registers, lists, shutdowns, restarts, cancels;
  DWORD last_ended;
  DWORD shutdown_flags, restart_flags;
  DWORD call_thread;               /* of the last shutdown or restart */
  BOOL had_callback;               /* and whether it was given one */
  LONG state;                      /* 0: before, 1: after a shutdown, 2: after a restart */
  DWORD counted;                   /* of that session, the first one, what is registered is written down: */
  UINT files, processes, services; /* in all */
  UINT most_files;                 /* in one call */
  UINT longest_registered;
  WCHAR last_file[1024], last_service[64], first_file[1024];
  RM_UNIQUE_PROCESS last_process;
  script_filter filters[SCRIPT_FILTERS];
  UINT filter_count;
} script;

/* The DLL's own, to be changed by the test when no call is under way. */
typedef script *scripted_function(void);

#endif
