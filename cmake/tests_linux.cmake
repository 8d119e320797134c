# The tests of Linux.

# Where tests cannot have mounts of their own (an ordinary user's, in a chroot) they share the user's folder of sessions:
# then they run one after the other.
execute_process(COMMAND unshare --mount true RESULT_VARIABLE no_mounts OUTPUT_QUIET ERROR_QUIET)
if(NOT no_mounts STREQUAL "0")
  set(RSM_ONE_STORE ON)
endif()

# test_scan and test_stalled make processes hang. Whoever lists all processes beside them waits for each of them, and gives
# up a thread on it that owns memory until it returns. So these see no processes but their own, where that can be had,
# and those that list hundreds of times are the faster for it.
set(RSM_ALONE_BY unshare --mount --pid --fork --kill-child --mount-proc)
execute_process(COMMAND ${RSM_ALONE_BY} true RESULT_VARIABLE not_alone OUTPUT_QUIET ERROR_QUIET)
if(not_alone STREQUAL "0")
  set(RSM_ALONE lua_ladder test_faults test_holders test_session test_session_end test_session_memory)
endif()

file(GLOB test_sources CONFIGURE_DEPENDS spec/c/test_*.c)
rsm_add_test_programs(${test_sources})

# The same by the walk in the kernel; as an ordinary user they are what they were.
foreach(name IN ITEMS test_holders test_holders_mounts test_scan test_session test_stalled)
  rsm_add_test(${name}_by_bpf ${name})
  set_tests_properties(${name}_by_bpf PROPERTIES ENVIRONMENT "${test_environment};RSM_SCAN=bpf")
endforeach()

# And these, which look at all processes, wait for those that make some hang.
set_property(TEST test_holders_by_bpf test_scan test_scan_bpf test_scan_by_bpf test_scan_churn test_session_by_bpf
  test_stalled test_stalled_by_bpf APPEND PROPERTY RESOURCE_LOCK hanging_processes)

# These once more, each under a systemd of its own; skipped where there can be none.
foreach(name IN ITEMS test_bus test_scope test_service test_service_rights test_service_start)
  rsm_add_test(${name}_in_systemd tools/in-systemd env ${test_environment} $<TARGET_FILE:${name}>)
  set_tests_properties(${name}_in_systemd PROPERTIES SKIP_RETURN_CODE 125)
endforeach()

# The system calls that these make fail: the linker leads them to its own functions.
set(faulty eventfd fchmod fchmodat fcntl fdatasync fdopendir flock fopen fstat fstatat fstatfs fsync ftruncate getcwd
  getdents64 getrandom getxattr isatty lstat mkdirat nanosleep open openat opendir poll pread pthread_create read readdir
  readlink readlinkat recv renameat send socketpair stat statx syscall unlinkat waitid write)
list(TRANSFORM faulty PREPEND "-Wl,--wrap=")
add_library(faults OBJECT spec/c/faults.c)
target_link_libraries(faults PRIVATE rsm_flags)
foreach(name IN ITEMS test_faults test_scan_bpf)
  target_sources(${name} PRIVATE $<TARGET_OBJECTS:faults>)
  target_link_options(${name} PRIVATE ${faulty})
endforeach()

# The fixture program: never sanitized, and static, so that neither a sanitizer's library nor one that is preloaded
# into the tests' Lua shows up among what it holds.
add_executable(holder spec/c/holder.c)
target_link_libraries(holder PRIVATE rsm_warnings Threads::Threads)
target_link_options(holder PRIVATE -static)

# Another one, which gives a pid away twice and asks the library itself who has it.
add_executable(recycle spec/c/recycle.c)
target_link_libraries(recycle PRIVATE rsm rsm_flags)

# A polkit agent that says whether it was asked, where libsystemd can be linked; never sanitized, either.
find_path(SYSTEMD_INCDIR systemd/sd-bus.h)
find_library(SYSTEMD_LIBRARY systemd)
if(SYSTEMD_INCDIR AND SYSTEMD_LIBRARY)
  add_executable(agent spec/c/agent.c)
  target_include_directories(agent SYSTEM PRIVATE "${SYSTEMD_INCDIR}")
  target_link_libraries(agent PRIVATE rsm_warnings "${SYSTEMD_LIBRARY}")
endif()

find_library(LUA_LIBRARY NAMES lua5.4 lua54 lua-5.4)
if(TARGET restartmanager_core AND LUA_LIBRARY)
  rsm_add_lua_programs(lua_ladder lua_threads)
endif()

if(RSM_SANITIZE)
  add_library(preload_once MODULE spec/c/preload_once.c)
  target_link_libraries(preload_once PRIVATE rsm_warnings)
endif()

# What takes long begins first: those that wait for each other, then the ladders.
set_tests_properties(test_scan test_scan_bpf test_scan_by_bpf test_scan_churn test_stalled test_stalled_by_bpf
  PROPERTIES COST 300)
set_tests_properties(test_faults PROPERTIES COST 200 TIMEOUT 300) # thousands of hand-overs between threads
if(TEST lua_ladder)
  set_tests_properties(lua_ladder PROPERTIES COST 200)
endif()
