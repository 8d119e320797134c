/* stopwatch SECONDS ARGUMENTS OUT ERR: runs the program whose arguments are the lines of the file ARGUMENTS, with its
 * output in the files OUT and ERR, and prints "WALL USER SYSTEM PEAK HOW" (microseconds, KiB, exit status | "signal N"
 * | "timeout"). Linked statically and kept small: the peak memory that the kernel tells of a program is never less than
 * what its starter had. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

__attribute__((noreturn)) static void die(const char *what) {
  fprintf(stderr, "stopwatch: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static double microseconds(struct timeval time) {
  return (double)time.tv_sec * 1e6 + (double)time.tv_usec;
}

/* The lines of a file, and a NULL. They are one piece of memory, the first line's, and the array another. */
static char **read_lines(const char *path) {
  struct stat status;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &status) < 0) die(path);
  size_t size = (size_t)status.st_size;
  char *text = malloc(size + 1);
  if (!text || size == 0 || read(fd, text, size) != status.st_size) die(path);
  close(fd);
  text[size] = '\0';
  size_t count = 0;
  for (size_t i = 0; i < size; i++) count += text[i] == '\n';
  char **lines = calloc(count + 1, sizeof *lines);
  if (!lines || count == 0) die(path);
  for (size_t i = 0; i < count; i++) {
    char *end = strchr(text, '\n');
    lines[i] = text;
    *end = '\0';
    text = end + 1;
  }
  return lines;
}

/* A terminal's INT reaches the program, too: it ends, and we tell how. */
static pid_t start(char **argv, const char *out, const char *err) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t defaults;
  pid_t pid;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawnattr_init(&attributes);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGINT);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  errno = posix_spawnp(&pid, argv[0], &files, &attributes, argv, environ);
  if (errno) die(argv[0]);
  return pid;
}

/* False: it had to be killed. */
static int end_in_time(pid_t pid, int seconds) {
  struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
  int ready = 0;
  if (end.fd < 0) die("pidfd_open");
  do ready = poll(&end, 1, seconds * 1000);
  while (ready < 0 && errno == EINTR);
  if (ready <= 0) kill(pid, SIGKILL);
  close(end.fd);
  return ready > 0;
}

int main(int argc, char **argv) {
  struct rusage used;
  int status = 0;
  if (argc != 5) {
    fprintf(stderr, "usage: stopwatch SECONDS ARGUMENTS OUT ERR\n");
    return 2;
  }
  int limit = (int)strtol(argv[1], NULL, 10);
  char **arguments = read_lines(argv[2]);
  signal(SIGINT, SIG_IGN);
  double began = now();
  pid_t pid = start(arguments, argv[3], argv[4]);
  int in_time = end_in_time(pid, limit);
  if (wait4(pid, &status, 0, &used) != pid) die("wait4");
  printf("%.0f %.0f %.0f %ld ", now() - began, microseconds(used.ru_utime), microseconds(used.ru_stime),
         used.ru_maxrss);
  if (!in_time)
    puts("timeout");
  else if (WIFSIGNALED(status))
    printf("signal %d\n", WTERMSIG(status));
  else
    printf("%d\n", WEXITSTATUS(status));
  free(arguments[0]);
  free(arguments);
  return 0;
}
