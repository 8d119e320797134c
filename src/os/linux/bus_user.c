/* bus_user.c: connections to managers' sockets, also as another user.
 *
 * What is below /run/user/UID belongs to that user, who may put a link there to a socket that only root may reach. So
 * root does not follow it: a child that has become the user connects, with the user's rights alone, and passes the
 * connection back. Between fork and exit it makes only system calls, raw ones where glibc would act for all threads.
 *
 * call          | purpose                     | blocks
 * connect       | to the manager's socket     | not: the socket does not block; looking up the path may, on a file
 *               |                             | system that the user has mounted there, so only in the child
 * poll          | the child's message         | until the limit; then the child, which the user may stop, is killed
 * waitid        | the child's end             | not: it was killed, or its pidfd has said that it has ended
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os/linux/bus_user.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/error.h"
#include "os/clock.h"
#include "os/linux/fd.h"
#include "os/linux/launch_child.h"
#include "os/linux/os_error.h"

enum { BY_PIDFD = 3 }; /* P_PIDFD, which older C libraries do not name */

/* 32-bit systems have these calls twice, the older with 16-bit numbers. */
#ifdef SYS_setresuid32
enum { CALL_SETGROUPS = SYS_setgroups32, CALL_SETRESGID = SYS_setresgid32, CALL_SETRESUID = SYS_setresuid32 };
#else
enum { CALL_SETGROUPS = SYS_setgroups, CALL_SETRESGID = SYS_setresgid, CALL_SETRESUID = SYS_setresuid };
#endif

/* ---- Connecting ---- */

/* System calls only. 0 or errno. */
static int connect_to(const struct sockaddr_un *address, int *ret_fd) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0) {
    int code = errno;
    close(fd);
    return code;
  }
  *ret_fd = fd;
  return 0;
}

static bool make_address(const char *path, struct sockaddr_un *ret_address) {
  *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
  size_t length = strlen(path);
  if (length >= sizeof ret_address->sun_path) return false;
  memcpy(ret_address->sun_path, path, length);
  return true;
}

static rsm_status fail_connect(int code, const char *path, rsm_error *reterr) {
  if (code == ENOENT || code == ENOTDIR || code == ECONNREFUSED)
    return rsm__fail(reterr, RSM_NOT_FOUND, path, "no manager listens here");
  if (code == EAGAIN) /* its queue is full: it has not accepted anybody for long */
    return rsm__fail(reterr, RSM_TIMEOUT, path, "the manager does not answer");
  return rsm__fail_errno(reterr, code, "connect", path);
}

rsm_status rsm__bus_connect(const char *path, int *ret_fd, rsm_error *reterr) {
  struct sockaddr_un address;
  if (!make_address(path, &address)) return fail_connect(ENAMETOOLONG, path, reterr);
  int code = connect_to(&address, ret_fd);
  return code ? fail_connect(code, path, reterr) : RSM_OK;
}

/* ---- The child ---- */

typedef struct user_plan {
  struct sockaddr_un address;
  uint32_t uid, gid;
  int socket;
} user_plan;

/* 0 or errno. Afterwards it has no right that the user has not, whatever our host has set for changes of user. */
static int become_user(const user_plan *plan) {
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct none[2] = {{0}, {0}};
  if (syscall(CALL_SETGROUPS, 0, NULL) < 0) return errno;
  if (syscall(CALL_SETRESGID, plan->gid, plan->gid, plan->gid) < 0) return errno;
  if (syscall(CALL_SETRESUID, plan->uid, plan->uid, plan->uid) < 0) return errno;
  if (syscall(SYS_capset, &head, none) < 0) return errno;
  /* The memory is a copy of our host's: the user's processes must not look into it. */
  return prctl(PR_SET_DUMPABLE, 0UL, 0, 0, 0) < 0 ? errno : 0;
}

_Noreturn static void child_main(const user_plan *plan) {
  int fd = -1;
  int code = become_user(plan);
  if (code == 0) code = connect_to(&plan->address, &fd);
  struct iovec text = {.iov_base = &code, .iov_len = sizeof code};
  union {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  memset(&control, 0, sizeof control);
  struct msghdr message = {.msg_iov = &text, .msg_iovlen = 1};
  if (fd >= 0) {
    control.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    message.msg_control = &control;
    message.msg_controllen = sizeof control.bytes;
  }
  sendmsg(plan->socket, &message, MSG_NOSIGNAL);
  _exit(0);
}

/* ---- The parent ---- */

static rsm_status start_child(const user_plan *plan, int *ret_pidfd, rsm_error *reterr) {
  sigset_t all, before;
  sigfillset(&all);
  /* None of the host's handlers may run in the child. */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t pid = rsm__launch_fork(0, ret_pidfd);
  if (pid == 0) child_main(plan);
  int code = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return pid < 0 ? rsm__fail_errno(reterr, code, "clone3", NULL) : RSM_OK;
}

static void end_child(int *pidfd) {
  siginfo_t info;
  if (*pidfd < 0) return;
  syscall(SYS_pidfd_send_signal, *pidfd, SIGKILL, NULL, 0);
  /* __WALL: its end sends no signal. A killed process ends, if not hung in the kernel for good: then it is left. */
  struct pollfd ended = {.fd = *pidfd, .events = POLLIN};
  if (poll(&ended, 1, 1000) > 0)
    while (waitid((idtype_t)BY_PIDFD, (id_t)*pidfd, &info, WEXITED | __WALL) < 0 && errno == EINTR)
      ;
  rsm__fd_close(pidfd);
}

static bool wait_readable(int fd, int limit_ms) {
  uint64_t until = rsm__clock_ms() + (uint64_t)limit_ms;
  for (;;) {
    uint64_t now = rsm__clock_ms();
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    int count = poll(&ready, 1, until > now ? (int)(until - now) : 0);
    if (count > 0) return true;
    if (count == 0 || errno != EINTR) return false;
  }
}

/* The child's message: *ret_fd, or its errno in *ret_code. False: none came. */
static bool receive(int socket, int *ret_fd, int *ret_code) {
  int code = EPROTO;
  struct iovec text = {.iov_base = &code, .iov_len = sizeof code};
  union {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr message = {
      .msg_iov = &text, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.bytes};
  if (recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != (ssize_t)sizeof code) return false;
  const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  *ret_fd = -1;
  if (head && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof(int)))
    memcpy(ret_fd, CMSG_DATA(head), sizeof *ret_fd);
  /* A right that could not be given to us, since no descriptor is left. */
  *ret_code = code == 0 && *ret_fd < 0 ? EMFILE : code;
  return true;
}

static rsm_status connect_as(user_plan *plan, int limit_ms, int *ret_fd, rsm_error *reterr) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return rsm__fail_errno(reterr, errno, "socketpair", NULL);
  RSM_CLEAN_FD int ours = pair[0];
  RSM_CLEAN_FD int theirs = pair[1];
  RSM_CLEAN(end_child) int pidfd = -1;
  plan->socket = theirs;
  rsm_status status = start_child(plan, &pidfd, reterr);
  if (status != RSM_OK) return status;
  rsm__fd_close(&theirs); /* so that the child's end is seen */
  int code;
  if (!wait_readable(ours, limit_ms))
    return rsm__fail(reterr, RSM_TIMEOUT, plan->address.sun_path, "the user's manager could not be reached in time");
  if (!receive(ours, ret_fd, &code))
    return rsm__fail(reterr, RSM_ACCESS_DENIED, plan->address.sun_path,
                     "the user's manager could not be reached: our helper was ended");
  return code ? fail_connect(code, plan->address.sun_path, reterr) : RSM_OK;
}

/* A link of the user's may lead to another listener's socket. */
static rsm_status check_peer(uint32_t uid, int *fd, const char *path, rsm_error *reterr) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt(*fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == uid) return RSM_OK;
  rsm__fd_close(fd);
  return rsm__fail(reterr, RSM_ACCESS_DENIED, path, "who listens here is not that user's manager");
}

rsm_status rsm__bus_connect_user(uint32_t uid, int limit_ms, int *ret_fd, rsm_error *reterr) {
  user_plan plan = {.uid = uid};
  char path[64], folder[32];
  snprintf(folder, sizeof folder, "/run/user/%u", (unsigned)uid);
  snprintf(path, sizeof path, "%s/systemd/private", folder);
  if (geteuid() != 0 && geteuid() != uid)
    return rsm__fail(reterr, RSM_ACCESS_DENIED, path, "only root and uid %u may ask that user's service manager",
                     (unsigned)uid);
  struct stat owner;
  if (lstat(folder, &owner) < 0 || !S_ISDIR(owner.st_mode) || owner.st_uid != uid)
    return rsm__fail(reterr, RSM_NOT_FOUND, folder, "uid %u has no service manager running", (unsigned)uid);
  plan.gid = owner.st_gid;
  if (!make_address(path, &plan.address)) return fail_connect(ENAMETOOLONG, path, reterr);
  int fd = -1;
  rsm_status status = geteuid() == uid ? rsm__bus_connect(path, &fd, reterr) : connect_as(&plan, limit_ms, &fd, reterr);
  if (status == RSM_OK) status = check_peer(uid, &fd, path, reterr);
  if (status == RSM_OK) *ret_fd = fd;
  return status;
}
