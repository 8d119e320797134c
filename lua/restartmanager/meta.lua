---@meta restartmanager
-- restartmanager: annotations for editors (LuaCATS). Never loaded.
-- SPDX-License-Identifier: MIT
--
-- The world's failures are returned: nil, message, code, number. `message` begins with the function's name; `code` is a
-- stable word ("fail_shutdown"), `number` the Restart Manager's own (351). Misuse raises.

local rm = {}

---@alias restartmanager.Code
---| "bad_arguments" # 160
---| "access_denied" # 5
---| "invalid_handle" # 6
---| "file_not_found" # 2
---| "not_found" # 1168
---| "not_supported" # 50
---| "busy" # 170
---| "service_does_not_exist" # 1060
---| "max_sessions_reached" # 353
---| "fail_noaction_reboot" # 350
---| "fail_shutdown" # 351
---| "fail_restart" # 352
---| "request_out_of_sequence" # 776
---| "session_credential_conflict" # 1219
---| "cancelled" # 1223
---| "envvar_not_found" # 203
---| "invalid_parameter" # 87
---| "more_data" # 234
---| "write_fault" # 29
---| "outofmemory" # 14
---| "sem_timeout" # 121
---| "install_failure" # 1603
---| "timeout" # 1460
---| "gen_failure" # 31

---@alias restartmanager.Manager
---| "builtin" # our own; the default on Linux and under Wine
---| "system" # Windows' rstrtmgr.dll; the default there. What it cannot do is said at the option, below
---| "fake"
---@alias restartmanager.Role "primary"|"secondary"
---@alias restartmanager.FilterAction "no_shutdown"|"no_restart"
---@alias restartmanager.AppType
---| "unknown" # no window, no terminal, no unit
---| "main_window"
---| "other_window"
---| "service"
---| "explorer"
---| "console"
---| "critical" # is never stopped
---@alias restartmanager.AppStatus
---| "running"
---| "stopped"
---| "stopped_other"
---| "restarted"
---| "error_on_stop"
---| "error_on_restart"
---| "shutdown_masked"
---| "restart_masked"
---@alias restartmanager.RebootReason
---| "permission_denied"
---| "session_mismatch"
---| "critical_process"
---| "critical_service"
---| "detected_self"

--- A process for ever, unlike its pid alone. start_time is opaque.
---@class restartmanager.Reference
---@field pid integer
---@field start_time integer|string
---@field instance integer|string|nil the pidfd's inode, where the kernel has one: tells apart what one clock tick does not

--- How a process may be named: its pid (bound to the process that has it now), a reference, or an entry.
---@alias restartmanager.Process integer|restartmanager.Reference|restartmanager.Entry

--- Reasons in a fixed order; `reasons.critical_process` is true if that is one of them.
---@class restartmanager.Reasons
---@field [integer] restartmanager.RebootReason
---@field permission_denied boolean?
---@field session_mismatch boolean?
---@field critical_process boolean?
---@field critical_service boolean?
---@field detected_self boolean?

---@class restartmanager.Use
---@field path string as it was registered; for a directory that plus the rest
---@field resource string the registered resource
---@field how "open"|"map"|"exec"|"cwd"|"root"|"loop"|"swap"|"mount"
---@field access "r"|"w"|"rw"|nil
---@field fd integer? descriptor number
---@field deleted boolean a deleted or replaced file's old inode

---@class restartmanager.Error
---@field message string
---@field code restartmanager.Code
---@field number integer

--- An application: RM_PROCESS_INFO and more. It prints.
---@class restartmanager.Entry
---@field pid integer? nil for a service that is not running, a mount, a loop device
---@field start_time integer?
---@field instance integer? as in a reference
---@field started_at integer? Unix seconds
---@field app_name string
---@field service_name string? short: "nginx"; of what starts a service the whole name: "nginx.socket"
---@field app_type restartmanager.AppType
---@field app_status table<restartmanager.AppStatus, true> a history, not a state
---@field logon_session string?
---@field restartable boolean
---@field restart_by "registration"|"service"|"command"|nil
---@field reboot_reasons restartmanager.Reasons
---@field uses restartmanager.Use[]
---@field user string?
---@field exe string?
---@field command string[]
---@field processes restartmanager.Reference[]? of a service: all that it runs
---@field dependents string[]? of a service: what else goes down with it and comes back with it; short names
---@field note string? why it is not restartable, where it was started
---@field error restartmanager.Error? in reports: what failed
---@field why "not_registered"|"restart_masked"|"no_patch"|"other_user"|"by_parent"|"not_restorable"|nil in reports
---@field restarted_as restartmanager.Reference? in reports

---@class restartmanager.Unreadable
---@field pid integer?
---@field start_time integer?
---@field app_name string?
---@field user string?
---@field path string? it is about a path
---@field reason string

--- Who is affected. Nobody is an empty list. It prints as a table.
---@class restartmanager.List
---@field [integer] restartmanager.Entry
---@field reboot_reasons restartmanager.Reasons
---@field complete boolean false: `unreadable` tells what could not be looked into
---@field unreadable restartmanager.Unreadable[]

--- It prints.
---@class restartmanager.ShutdownReport
---@field stopped restartmanager.Entry[]
---@field gone restartmanager.Entry[] had ended by themselves before we asked
---@field alive restartmanager.Entry[]
---@field kept restartmanager.Entry[] a no_shutdown filter kept them
---@field new restartmanager.Entry[] use the files now and were not listed

--- It prints.
---@class restartmanager.RestartReport
---@field restarted restartmanager.Entry[]
---@field failed restartmanager.Entry[] each with `error`
---@field left_stopped restartmanager.Entry[] each with `why`

---@class restartmanager.Event
---@field action "ask"|"wait"|"kill"|"stopped"|"kept"|"failed"|"start"|"restarted"
---@field process restartmanager.Entry?
---@field error restartmanager.Error?

---@class restartmanager.SessionInfo
---@field key string
---@field name string?
---@field abandoned boolean its primary installer has died
---@field started_at integer
---@field primary restartmanager.Reference
---@field stopped restartmanager.Entry[]

---@class restartmanager.Resource
---@field file string?
---@field process restartmanager.Reference?
---@field service string?
---@field by restartmanager.Reference

---@class restartmanager.Filter
---@field exe string? the application's program file
---@field process restartmanager.Process?
---@field service string?
---@field action restartmanager.FilterAction

---@class restartmanager.Self
---@field pid integer
---@field start_time integer
---@field exe string
---@field parent restartmanager.Reference?

---@class restartmanager.Occasions
---@field crash boolean?
---@field hang boolean?
---@field patch boolean?
---@field reboot boolean?

---@class restartmanager.RestartSettings
---@field args string[]
---@field on restartmanager.Occasions

---@class restartmanager.RestartDefault
---@field unregistered boolean?

---@class restartmanager.StartOptions
---@field manager restartmanager.Manager? default: this system's
---@field name string? the installer's name, for people and for recover
---@field restart restartmanager.RestartDefault? the default of restart, close, adopt (system: not_supported)
---@field stoppable restartmanager.Process|restartmanager.Process[]|nil ancestors that may be stopped
---@field bpf boolean? false: this session's listings look through /proc only, see rm.scanner

---@class restartmanager.RegisterOptions
---@field files string|string[]|nil
---@field processes restartmanager.Process|restartmanager.Process[]|nil
---@field services string|string[]|nil "nginx" or "nginx.service"; of the system's manager, else of the user's own
---@field working_directories boolean? working and root directories are uses that stop a process, too (system: not_supported)

---@class restartmanager.WhoOptions: restartmanager.RegisterOptions
---@field manager restartmanager.Manager?
---@field uses boolean? default true; false spares the system manager the look into the listed processes
---@field wait (fun(op: restartmanager.Operation))?

---@class restartmanager.ListOptions
---@field uses boolean? the system manager looks for uses only when asked
---@field wait (fun(op: restartmanager.Operation))?

---@class restartmanager.BeginShutdownOptions
---@field force boolean? kill what does not obey in time; it is asked first all the same
---@field only_restartable boolean? nothing is touched unless every one is restartable
---@field timeout number? grace of a rank in seconds: 30 (system: Windows' own settings hold)
---@field service_timeout number? 20 (the same)
---@field confirmed restartmanager.List|restartmanager.Process|restartmanager.Process[]|nil who may be stopped; an entry of a service confirms the service
---@field progress (fun(percent: integer, phase: "shutdown"): boolean?)? false cancels
---@field on_event (fun(event: restartmanager.Event): boolean?)? false cancels

---@class restartmanager.ShutdownOptions: restartmanager.BeginShutdownOptions
---@field wait (fun(op: restartmanager.Operation))? called whenever nothing can advance; may yield

---@class restartmanager.BeginRestartOptions
---@field unregistered boolean? also those that did not register, from the captured command (system: those are left_stopped)
---@field progress (fun(percent: integer, phase: "restart"): boolean?)? false cancels
---@field on_event (fun(event: restartmanager.Event): boolean?)? false cancels

---@class restartmanager.RestartOptions: restartmanager.BeginRestartOptions
---@field wait (fun(op: restartmanager.Operation))? called whenever nothing can advance; may yield

---@class restartmanager.CloseOptions
---@field leave_stopped boolean? what is stopped stays stopped and is forgotten

---@class restartmanager.RecoverOptions
---@field name string

--- "0.1.0"
---@type string
rm._VERSION = "0.1.0"

--- Starts a session; the caller is its primary installer.
---@param options restartmanager.StartOptions?
---@return restartmanager.Session? session
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
function rm.start(options) end

--- Joins a running session as a secondary installer.
---@param key string? default: from RESTARTMANAGER_SESSION_KEY
---@return restartmanager.Session? session
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
function rm.join(key) end

--- Starts a session, calls fn with it, closes it; passes fn's results on, or raises again what it raised.
---@param options restartmanager.StartOptions?
---@param fn fun(session: restartmanager.Session): ...
---@return ...
function rm.scope(options, fn) end

--- The sessions of this user whose primary installer lives or that stopped something.
---@return restartmanager.SessionInfo[]? sessions
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
function rm.sessions() end

--- Takes an abandoned session over, in the state after shutdown; starts nothing.
---@param key string
---@return restartmanager.Session? session
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
function rm.adopt(key) end

--- Adopts, restarts and closes every abandoned session of that name. After a failure the reports come fifth.
---@param options restartmanager.RecoverOptions
---@return restartmanager.RestartReport[]? reports
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
---@return restartmanager.RestartReport[]? reports
function rm.recover(options) end

--- Who uses these files: one call, leaves no session.
---@param path string|restartmanager.WhoOptions
---@param ... string more paths
---@return restartmanager.List? list
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
function rm.who(path, ...) end

--- Says how this process wants to be started again. args: one string is one argument; nil: its own present ones.
--- on: absent keys are true.
---@param options { args: string|string[]|nil, on: restartmanager.Occasions? }?
---@return true? ok
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
function rm.register_restart(options) end

---@return true? ok
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
function rm.unregister_restart() end

--- What a process registered.
---@param process restartmanager.Process
---@return restartmanager.RestartSettings? settings
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
function rm.restart_settings(process) end

--- This process.
---@return restartmanager.Self? self
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
function rm.self() end

--- Which way the last listing of this process took: "proc", through /proc, or "bpf", by a program in the kernel that tells
--- whom to look at through /proc (Linux 6.4, root or CAP_BPF and CAP_PERFMON). They find the same, the second much faster
--- once it is loaded. reason: why it was not "bpf". RSM_SCAN=proc or RSM_SCAN=bpf in the environment chooses one, for bug
--- reports. nil: there was no listing yet, or this system has only one way.
---@return "proc"|"bpf"|nil scanner
---@return string? reason
function rm.scanner() end

--- key and role are readable after close, too. Leaving it, by close or as a <close> variable, brings back first what
--- shutdown stopped; garbage collection does not, but under `system`, which keeps nothing for rm.adopt.
---@class restartmanager.Session
---@field key string 32 hex digits
---@field role restartmanager.Role
local Session = {}

--- Returns the report if it had to restart, else true. Safe to repeat.
---@param options restartmanager.CloseOptions?
---@return restartmanager.RestartReport|true|nil report
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
---@return restartmanager.RestartReport? report
function Session:close(options) end

--- Adds resources, all or nothing.
---@param options restartmanager.RegisterOptions?
---@return true? ok
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
function Session:register(options) end

--- What all installers registered, as it is now (system: what this session registered).
---@return fun(): restartmanager.Resource?
function Session:resources() end

--- Runs a program, without a shell, with the session key in its environment, and waits.
---@param command string[]
---@return true? ok
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
---@return { exit: integer?, signal: integer? }? how of install_failure
function Session:run(command) end

---@param options restartmanager.ListOptions?
---@return restartmanager.List? list
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
function Session:list(options) end

--- The entries of the list; raises on failure.
---@param options restartmanager.ListOptions?
---@return fun(): restartmanager.Entry?
function Session:affected(options) end

--- Adds or replaces. Exactly one of exe, process, service.
---@param filter restartmanager.Filter
---@return true? ok
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
function Session:add_filter(filter) end

--- Accepts what filters() yields.
---@param filter restartmanager.Filter
---@return true? ok
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
function Session:remove_filter(filter) end

---@return fun(): restartmanager.Filter?
function Session:filters() end

---@param options restartmanager.ShutdownOptions?
---@return restartmanager.ShutdownReport? report
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
---@return restartmanager.ShutdownReport? report of 350, 351, 1223, 234
function Session:shutdown(options) end

---@param options restartmanager.RestartOptions?
---@return restartmanager.RestartReport? report
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
---@return restartmanager.RestartReport? report of 352, 1223
function Session:restart(options) end

---@param options { uses: boolean? }?
---@return restartmanager.Operation? op
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
function Session:begin_list(options) end

---@param options restartmanager.BeginShutdownOptions?
---@return restartmanager.Operation? op
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
function Session:begin_shutdown(options) end

---@param options restartmanager.BeginRestartOptions?
---@return restartmanager.Operation? op
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
function Session:begin_restart(options) end

--- Cancels the operation under way; nothing under way: true.
---@return true? ok
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
function Session:cancel() end

--- It moves only when stepped. Closing it, as a <close> variable too, cancels and settles it.
---@class restartmanager.Operation
local Operation = {}

---@param seconds number? 0: never blocks
---@return boolean done
---@return integer percent
function Operation:step(seconds) end

--- Exactly what the blocking form returns. Raises before done.
---@return restartmanager.List|restartmanager.ShutdownReport|restartmanager.RestartReport|nil result
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
---@return restartmanager.ShutdownReport|restartmanager.RestartReport|nil report
function Operation:result() end

--- Keep stepping until it is done.
---@return true
function Operation:cancel() end

---@return true
function Operation:close() end

--- Readable when step(0) would advance, deadlines included.
---@return integer? fd
---@return string? message
---@return restartmanager.Code? code
---@return integer? number
function Operation:fd() end

return rm
