/* holder.c: a program that does on order what real programs do to files, then waits.
 *
 *   holder COMMAND [ARGUMENT...] ...
 *
 * The commands are carried out from left to right (see the table at the end); then it prints "ready
 * PID" and waits until its standard input ends. A failing command ends it with status 2 and a line
 * on standard error. It never outlives its hard limit, whatever it was told: the kernel kills it
 * then, even if it is stopped or ignores signals. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HARD_LIMIT_SECONDS = 120, TICK_MS = 50, FD_LIMIT = 1024, HANDED_FD = 3 };

static struct {
  char **argv;
  const char *until;       /* end when this file has gone */
  const char *note;        /* tell there when started and when asked to end */
  const char *report;      /* describe the process there */
  const char *dead_leader; /* opened by the thread that outlives the main thread */
  double delay;            /* seconds from TERM to the end */
  bool stay;               /* the end of the input is not ours */
  bool stop;
  bool answer; /* who connects to the socket that a manager has handed to us */
  bool child;  /* made by fork: says nothing */
} self;

static volatile sig_atomic_t asked; /* TERM has come */

static void die(const char *what, const char *subject) {
  fprintf(stderr, "holder: %s %s: %s\n", what, subject, strerror(errno));
  exit(2);
}

static void must(int result, const char *what, const char *subject) {
  if (result < 0) die(what, subject);
}

/* A kernel timer whose signal is KILL; it is not inherited by children. */
static void set_hard_limit(void) {
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
  struct itimerspec when = {.it_value = {.tv_sec = HARD_LIMIT_SECONDS}};
  timer_t timer;
  must(timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create", "");
  must(timer_settime(timer, 0, &when, NULL), "timer_settime", "");
}

static int open_or_die(const char *path, int flags) {
  int fd = open(path, flags | O_CLOEXEC, 0600);
  must(fd, "open", path);
  return fd;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* One write for the line, so that lines of several processes do not mix. */
static void append_line(const char *path, const char *format, ...) {
  char line[8192];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  if (length < 0) return;
  size_t size = (size_t)length < sizeof line - 1 ? (size_t)length : sizeof line - 2;
  line[size++] = '\n';
  int fd = open_or_die(path, O_WRONLY | O_CREAT | O_APPEND);
  must(write(fd, line, size) == (ssize_t)size ? 0 : -1, "write", path);
  close(fd);
}

/* ---- Holding ---- */

static void do_open(char **args) {
  open_or_die(args[0], O_RDONLY);
}

static void do_write(char **args) {
  open_or_die(args[0], O_WRONLY);
}

static void do_rdwr(char **args) {
  open_or_die(args[0], O_RDWR);
}

static void do_opath(char **args) {
  open_or_die(args[0], O_PATH);
}

static void map_file(const char *path, int flags, int protection, int sharing) {
  int fd = open_or_die(path, flags);
  struct stat status;
  must(fstat(fd, &status), "fstat", path);
  size_t size = status.st_size > 0 ? (size_t)status.st_size : 1;
  if (mmap(NULL, size, protection, sharing, fd, 0) == MAP_FAILED) die("mmap", path);
  close(fd);
}

static void do_map(char **args) {
  map_file(args[0], O_RDONLY, PROT_READ, MAP_PRIVATE);
}

static void do_mapx(char **args) {
  map_file(args[0], O_RDONLY, PROT_READ | PROT_EXEC, MAP_PRIVATE);
}

static void do_mapw(char **args) {
  map_file(args[0], O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static void do_lock(char **args) {
  must(flock(open_or_die(args[0], O_RDONLY), LOCK_EX), "flock", args[0]);
}

static void do_cwd(char **args) {
  must(chdir(args[0]), "chdir", args[0]);
}

static void do_root(char **args) {
  must(chroot(args[0]), "chroot", args[0]);
}

struct thread_order {
  const char *path;
  sem_t done;
};

static void *open_apart(void *data) {
  struct thread_order *order = data;
  must(unshare(CLONE_FILES), "unshare", "CLONE_FILES");
  open_or_die(order->path, O_RDONLY);
  sem_post(&order->done);
  while (pause() < 0) {
  }
  return NULL;
}

static void start_thread(void *(*function)(void *), void *data) {
  pthread_t thread;
  errno = pthread_create(&thread, NULL, function, data);
  must(errno ? -1 : 0, "pthread_create", "");
}

static void do_thread_open(char **args) {
  static struct thread_order order;
  order.path = args[0];
  must(sem_init(&order.done, 0, 0), "sem_init", "");
  start_thread(open_apart, &order);
  while (sem_wait(&order.done) < 0 && errno == EINTR) {
  }
}

static void do_dead_leader(char **args) {
  self.dead_leader = args[0];
}

/* ---- Changing ---- */

static void do_unlink(char **args) {
  must(unlink(args[0]), "unlink", args[0]);
}

static void do_replace(char **args) {
  must(rename(args[0], args[1]), "rename", args[1]);
}

static void do_name(char **args) {
  must(prctl(PR_SET_NAME, args[0]), "prctl", args[0]);
}

static void do_env(char **args) {
  const char *value = getenv(args[0]);
  printf("env %s%s%s\n", args[0], value ? "=" : "", value ? value : "");
}

/* ---- Signals and the end ---- */

static void do_ignore(char **args) {
  static const struct {
    const char *name;
    int number;
  } known[] = {{"TERM", SIGTERM}, {"HUP", SIGHUP}, {"INT", SIGINT}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strcmp(args[0], known[i].name) == 0) {
      signal(known[i].number, SIG_IGN);
      return;
    }
  }
  errno = EINVAL;
  die("ignore", args[0]);
}

static void on_term(int number) {
  (void)number;
  asked = 1;
}

static void catch_term(void) {
  struct sigaction action = {.sa_handler = on_term};
  must(sigaction(SIGTERM, &action, NULL), "sigaction", "TERM");
}

static void do_delay(char **args) {
  self.delay = strtod(args[0], NULL);
  catch_term();
}

static void do_note(char **args) {
  char line[4096] = "";
  size_t used = 0;
  for (char **arg = self.argv + 1; *arg && used < sizeof line; arg++)
    used += (size_t)snprintf(line + used, sizeof line - used, " %s", *arg);
  self.note = args[0];
  catch_term();
  append_line(args[0], "start %d%s", (int)getpid(), line);
}

static void do_until(char **args) {
  self.until = args[0];
}

static void do_nopdeath(char **args) {
  (void)args;
  self.stay = true;
}

static void do_stop(char **args) {
  (void)args;
  self.stop = true;
}

/* ---- Places in the tree of processes ---- */

static void do_setsid(char **args) {
  (void)args;
  if (getsid(0) != getpid()) must(setsid(), "setsid", "");
}

static void fork_and_leave(void) {
  pid_t pid = fork();
  must(pid, "fork", "");
  if (pid > 0) _exit(0);
}

static void do_daemon(char **args) {
  (void)args;
  fork_and_leave();
  must(setsid(), "setsid", "");
  fork_and_leave();
  set_hard_limit();
}

static void do_report(char **args) {
  self.report = args[0];
}

static void describe_status(FILE *out) {
  static const char *const wanted[] = {"Groups:", "Umask:",  "CapInh:", "CapPrm:",     "CapEff:",  "CapBnd:",
                                       "CapAmb:", "SigBlk:", "SigIgn:", "NoNewPrivs:", "Seccomp:", "NSpid:"};
  char line[4096];
  FILE *in = fopen("/proc/self/status", "re");
  while (in && fgets(line, sizeof line, in)) {
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
      size_t length = strlen(wanted[i]);
      if (strncmp(line, wanted[i], length) == 0)
        fprintf(out, "%.*s %s", (int)length - 1, wanted[i], line + length + strspn(line + length, " \t"));
    }
  }
  if (in) fclose(in);
}

static void describe_ids(FILE *out) {
  uid_t uid[3];
  gid_t gid[3];
  struct rlimit limit;
  getresuid(&uid[0], &uid[1], &uid[2]);
  getresgid(&gid[0], &gid[1], &gid[2]);
  getrlimit(RLIMIT_NOFILE, &limit);
  fprintf(out, "pid %d\nppid %d\nsid %d\npgid %d\n", (int)getpid(), (int)getppid(), (int)getsid(0), (int)getpgid(0));
  fprintf(out, "uid %u %u %u\ngid %u %u %u\n", uid[0], uid[1], uid[2], gid[0], gid[1], gid[2]);
  fprintf(out, "nice %d\n", getpriority(PRIO_PROCESS, 0));
  fprintf(out, "nofile %llu %llu\n", (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
}

/* A newline in a value becomes \n, a backslash \\: one line a fact. */
static void describe_text(FILE *out, const char *key, const char *text) {
  fprintf(out, "%s ", key);
  for (; *text; text++) {
    if (*text == '\n' || *text == '\\')
      fputs(*text == '\n' ? "\\n" : "\\\\", out);
    else
      fputc(*text, out);
  }
  fputc('\n', out);
}

static void describe_link(FILE *out, const char *key, const char *path) {
  char target[PATH_MAX];
  ssize_t length = readlink(path, target, sizeof target - 1);
  if (length < 0) return;
  target[length] = '\0';
  describe_text(out, key, target);
}

static void describe_fds(FILE *out) {
  for (int fd = 0; fd < FD_LIMIT; fd++) {
    char key[32];
    char path[64];
    if (fd == fileno(out)) continue;
    snprintf(key, sizeof key, "fd %d", fd);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    describe_link(out, key, path);
  }
}

static void describe_cgroup(FILE *out) {
  char line[4096];
  FILE *in = fopen("/proc/self/cgroup", "re");
  while (in && fgets(line, sizeof line, in)) fprintf(out, "cgroup %s", line);
  if (in) fclose(in);
}

static void write_report(const char *path) {
  char name[PATH_MAX];
  snprintf(name, sizeof name, "%s.%d", path, (int)getpid());
  FILE *out = fopen(name, "we");
  if (!out) die("report", name);
  describe_ids(out);
  describe_status(out);
  describe_link(out, "exe", "/proc/self/exe");
  describe_link(out, "cwd", "/proc/self/cwd");
  describe_link(out, "root", "/proc/self/root");
  describe_fds(out);
  describe_cgroup(out);
  for (char **arg = self.argv; *arg; arg++) describe_text(out, "arg", *arg);
  for (char **variable = environ; *variable; variable++) describe_text(out, "env", *variable);
  must(fclose(out) == 0 ? 0 : -1, "write", name);
  must(rename(name, path), "rename", path);
}

/* ---- Waiting ---- */

static bool input_has_ended(void) {
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  char byte[64];
  if (poll(&input, 1, TICK_MS) <= 0) return false;
  return read(STDIN_FILENO, byte, sizeof byte) <= 0 && errno != EINTR;
}

/* Nobody can end us through an input that is no pipe, /dev/null after a restart: then only the file
 * counts. */
static bool input_counts(void) {
  struct stat status;
  if (self.stay) return false;
  if (!self.until) return true;
  return fstat(STDIN_FILENO, &status) == 0 && !S_ISCHR(status.st_mode);
}

/* What sd_notify does: a datagram to the manager. */
static void do_notify(char **args) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  const char *name = getenv("NOTIFY_SOCKET");
  size_t length = name ? strlen(name) : 0;
  errno = EDESTADDRREQ;
  must(length > 0 && length < sizeof to.sun_path ? 0 : -1, "notify", args[0]);
  memcpy(to.sun_path, name, length);
  if (name[0] == '@') to.sun_path[0] = '\0';
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  must(fd, "socket", "");
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
  must(sendto(fd, args[0], strlen(args[0]), 0, (const struct sockaddr *)&to, size) < 0 ? -1 : 0, "notify", args[0]);
  close(fd);
}

static void do_answer(char **args) {
  (void)args;
  signal(SIGPIPE, SIG_IGN);
  self.answer = true;
}

static void answer(void) {
  struct pollfd socket = {.fd = HANDED_FD, .events = POLLIN};
  if (poll(&socket, 1, 0) <= 0) return;
  int fd = accept4(HANDED_FD, NULL, NULL, SOCK_CLOEXEC);
  must(fd, "accept", "");
  dprintf(fd, "pid %d\n", (int)getpid());
  close(fd);
}

static void wait_for_the_end(void) {
  bool listen = input_counts();
  double end = 0;
  for (;;) {
    errno = 0;
    if (listen ? input_has_ended() : (poll(NULL, 0, TICK_MS), false)) return;
    if (self.until && access(self.until, F_OK) < 0) return;
    if (self.answer) answer();
    if (asked && end == 0) {
      end = now() + self.delay;
      if (self.note) append_line(self.note, "term");
    }
    if (end != 0 && now() >= end) return;
  }
}

static void say_ready(void) {
  if (self.child) return;
  if (self.report) write_report(self.report);
  printf("ready %d\n", (int)getpid());
  fflush(stdout);
  if (self.stop) raise(SIGSTOP);
}

/* The children have what we have by now; they skip the commands that follow. */
static void do_fork(char **args) {
  long count = strtol(args[0], NULL, 10);
  fflush(stdout);
  for (long i = 0; i < count; i++) {
    pid_t pid = fork();
    must(pid, "fork", args[0]);
    if (pid == 0) {
      self.child = true;
      set_hard_limit();
      wait_for_the_end();
      _exit(0);
    }
    printf("child %d\n", (int)pid);
  }
}

/* A message with one descriptor, or with room for one. */
struct passing {
  union {
    char room[CMSG_SPACE(sizeof(int))];
    struct cmsghdr aligned;
  } control;
  char byte;
  struct iovec data;
  struct msghdr message;
};

static struct cmsghdr *prepare_passing(struct passing *p) {
  memset(p, 0, sizeof *p);
  p->data = (struct iovec){.iov_base = &p->byte, .iov_len = 1};
  p->message = (struct msghdr){
      .msg_iov = &p->data, .msg_iovlen = 1, .msg_control = p->control.room, .msg_controllen = sizeof p->control.room};
  return CMSG_FIRSTHDR(&p->message);
}

static void send_descriptor(int to, int fd, const char *path) {
  struct passing p;
  struct cmsghdr *header = prepare_passing(&p);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  must(sendmsg(to, &p.message, 0) == 1 ? 0 : -1, "sendmsg", path);
}

static void receive_descriptor(int from, const char *path) {
  struct passing p;
  const struct cmsghdr *header = prepare_passing(&p);
  must(recvmsg(from, &p.message, MSG_CMSG_CLOEXEC) == 1 ? 0 : -1, "recvmsg", path);
  must(header->cmsg_type == SCM_RIGHTS ? 0 : -1, "recvmsg", path);
  must(write(from, "", 1) == 1 ? 0 : -1, "write", path);
}

/* The child never opens the file: it gets the descriptor by a message, and we keep none. */
static void do_pass(char **args) {
  int ends[2];
  char byte;
  must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair", "");
  fflush(stdout);
  pid_t pid = fork();
  must(pid, "fork", "");
  if (pid == 0) {
    self.child = true;
    set_hard_limit();
    receive_descriptor(ends[1], args[0]);
    wait_for_the_end();
    _exit(0);
  }
  int fd = open_or_die(args[0], O_RDONLY);
  send_descriptor(ends[0], fd, args[0]);
  close(fd);
  must(read(ends[0], &byte, 1) == 1 ? 0 : -1, "read", args[0]);
  printf("child %d\n", (int)pid);
}

static bool leader_is_dead(void) {
  char line[512];
  FILE *in = fopen("/proc/self/stat", "re");
  if (!in) return false;
  const char *name_end = fgets(line, sizeof line, in) ? strrchr(line, ')') : NULL;
  fclose(in);
  return name_end && strncmp(name_end, ") Z", 3) == 0;
}

static void *outlive_leader(void *data) {
  (void)data;
  open_or_die(self.dead_leader, O_RDONLY);
  while (!leader_is_dead()) poll(NULL, 0, 1);
  say_ready();
  wait_for_the_end();
  exit(0);
}

/* ---- The table ---- */

static const struct command {
  const char *name;
  int arguments;
  void (*function)(char **args);
} commands[] = {
    {"open", 1, do_open},               /* PATH: for reading */
    {"write", 1, do_write},             /* PATH: for writing only */
    {"rdwr", 1, do_rdwr},               /* PATH: for reading and writing */
    {"opath", 1, do_opath},             /* PATH: as O_PATH */
    {"map", 1, do_map},                 /* PATH: mapped privately for reading, descriptor closed */
    {"mapx", 1, do_mapx},               /* PATH: mapped as code */
    {"mapw", 1, do_mapw},               /* PATH: mapped shared, for writing */
    {"lock", 1, do_lock},               /* PATH: open and locked with flock */
    {"cwd", 1, do_cwd},                 /* DIR: working directory */
    {"root", 1, do_root},               /* DIR: root directory; later paths are seen from there */
    {"thread-open", 1, do_thread_open}, /* PATH: by a thread that has descriptors of its own */
    {"dead-leader", 1, do_dead_leader}, /* PATH: by a thread; the main thread ends before "ready" */
    {"fork", 1, do_fork},               /* N: children that hold and obey as we do now; prints "child PID" for each */
    {"pass", 1, do_pass},               /* PATH: a child gets the descriptor by SCM_RIGHTS; prints "child PID" */
    {"daemon", 0, do_daemon},           /* fork twice and setsid: the grandchild goes on */
    {"setsid", 0, do_setsid},           /* a new session */
    {"name", 1, do_name},               /* TEXT: the process' short name */
    {"env", 1, do_env},                 /* NAME: print "env NAME=value", or "env NAME" */
    {"unlink", 1, do_unlink},           /* PATH */
    {"replace", 2, do_replace},         /* NEW PATH: rename NEW to PATH */
    {"ignore", 1, do_ignore},           /* TERM, HUP or INT */
    {"delay", 1, do_delay},             /* SECONDS: from TERM to the end, with status 0 */
    {"note", 1, do_note},               /* PATH: append "start PID ARGS" now, and "term" on TERM, then end */
    {"report", 1, do_report},           /* PATH: describe the process there, one fact a line, before "ready" */
    {"notify", 1, do_notify},           /* TEXT: to the service manager, like "READY=1" */
    {"answer", 0, do_answer},           /* who connects to the manager's socket (descriptor 3) is told "pid PID" */
    {"stop", 0, do_stop},               /* stop (SIGSTOP) after "ready" */
    {"until", 1, do_until},             /* PATH: end when it is gone; an input that is a device ends us no more */
    {"nopdeath", 0, do_nopdeath},       /* the end of the input ends us not: needs until */
};

static const struct command *find_command(const char *name) {
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
    if (strcmp(commands[i].name, name) == 0) return &commands[i];
  }
  return NULL;
}

int main(int argc, char **argv) {
  self.argv = argv;
  set_hard_limit();
  for (int at = 1; at < argc;) {
    const struct command *command = find_command(argv[at]);
    if (!command || argc - at - 1 < command->arguments) {
      fprintf(stderr, "holder: %s: unknown, or an argument is missing\n", argv[at]);
      return 2;
    }
    command->function(argv + at + 1);
    at += 1 + command->arguments;
  }
  if (self.dead_leader) {
    start_thread(outlive_leader, NULL);
    pthread_exit(NULL);
  }
  say_ready();
  wait_for_the_end();
  return 0;
}
