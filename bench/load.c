/* load FOLDER PROCESSES DESCRIPTORS MAPPINGS FILES [deaf]: idle processes that hold many files, for measuring who finds
 * some of them how fast. They live until our input ends (or TERM); then they are killed and everything is removed.
 * deaf: they ignore TERM.
 *
 * Makes a folder of its own in FOLDER, with FILES target files in tree/, their paths in `list` and "MAJOR:MINOR INODE"
 * of each in `ids`. Of the descriptors of a process 40 % are regular files out of a pool of a thousand, 30 % sockets,
 * 20 % pipes, 10 % eventfds; its mappings come in fours, as those of a library. Who holds what is said on stdout:
 *
 *   dir PATH | file MAJOR:MINOR INODE PATH | holds PID PATH | ready
 *
 * Targets: the first of tree/ by descriptor in two processes and by mapping alone in two others, and a hundred more of
 * them, one for each fifty processes; `opened` by descriptors only, `mapped` by mappings only, `common` mapped by all.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum { POOL = 1000, POOL_SIZE = 65536, TARGET_SIZE = 8192, SPREAD = 50, TARGETS = 100, PER_FOLDER = 1000 };
enum { SEGMENT = 16384, SEGMENTS = 4, PAGE = 4096, FIRST_DESCRIPTOR = 3 };

static struct {
  char dir[PATH_MAX - 64]; /* empty: not made yet */
  long processes, descriptors, mappings, files;
  bool deaf;
  pid_t *pids;
  long started;
} load;

static volatile sig_atomic_t asked;

/* ---- The end ---- */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place) {
  (void)status;
  (void)kind;
  (void)place;
  return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

/* What we own and nobody else: the processes that we forked, the folder that we made. */
static bool clean_up(void) {
  for (long i = 0; i < load.started; i++) kill(load.pids[i], SIGKILL);
  for (long i = 0; i < load.started; i++) waitpid(load.pids[i], NULL, 0);
  free(load.pids);
  if (!load.dir[0] || nftw(load.dir, remove_one, 32, FTW_DEPTH | FTW_PHYS) == 0) return true;
  perror(load.dir);
  return false;
}

__attribute__((noreturn)) static void die(const char *what) {
  perror(what);
  clean_up();
  exit(1);
}

static void on_term(int number) {
  (void)number;
  asked = 1;
}

/* ---- Files ---- */

__attribute__((format(printf, 2, 3))) static const char *in_dir(char path[PATH_MAX], const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  size_t length = (size_t)snprintf(path, PATH_MAX, "%s/", load.dir);
  vsnprintf(path + length, PATH_MAX - length, format, arguments);
  va_end(arguments);
  return path;
}

static const char *pool_path(char path[PATH_MAX], unsigned number) {
  return in_dir(path, "pool/libsome-module-%05u", number % POOL);
}

static const char *target_path(char path[PATH_MAX], long number) {
  return in_dir(path, "tree/%03ld/file-%03ld", number / PER_FOLDER, number % PER_FOLDER);
}

static struct stat make_file(const char *path, off_t size) {
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  struct stat status;
  if (fd < 0 || ftruncate(fd, size) < 0 || fstat(fd, &status) < 0) die(path);
  close(fd);
  return status;
}

static void make_folder(const char *path) {
  if (mkdir(path, 0755) < 0) die(path);
}

static void make_single(const char *name) {
  char path[PATH_MAX];
  struct stat status = make_file(in_dir(path, "%s", name), TARGET_SIZE);
  printf("file %u:%u %lu %s\n", major(status.st_dev), minor(status.st_dev), status.st_ino, path);
}

static void make_targets(void) {
  char path[PATH_MAX];
  FILE *list = fopen(in_dir(path, "list"), "we");
  FILE *ids = fopen(in_dir(path, "ids"), "we");
  if (!list || !ids) die("list");
  make_folder(in_dir(path, "tree"));
  for (long i = 0; i < load.files; i++) {
    if (i % PER_FOLDER == 0) make_folder(in_dir(path, "tree/%03ld", i / PER_FOLDER));
    struct stat status = make_file(target_path(path, i), TARGET_SIZE);
    fprintf(list, "%s\n", path);
    fprintf(ids, "%u:%u %lu\n", major(status.st_dev), minor(status.st_dev), status.st_ino);
  }
  if (fclose(list) || fclose(ids)) die("list");
}

static void make_files(const char *parent) {
  char path[PATH_MAX];
  char made[sizeof load.dir];
  if (snprintf(made, sizeof made, "%s/rsm-bench.XXXXXX", parent) >= (int)sizeof made || !mkdtemp(made)) die(parent);
  memcpy(load.dir, made, sizeof made);
  printf("dir %s\n", load.dir);
  make_folder(in_dir(path, "pool"));
  for (unsigned i = 0; i < POOL; i++) make_file(pool_path(path, i), POOL_SIZE);
  make_targets();
  make_single("opened");
  make_single("mapped");
  make_single("common");
  make_file(in_dir(path, "replaced"), TARGET_SIZE);
  make_file(in_dir(path, "replacement"), TARGET_SIZE);
}

/* ---- Who holds what: the same answer for the parent, who tells, and for the child, who does it ---- */

/* The number of the target in tree/, -1: none. Process `first` and each fiftieth after `place` hold one. */
static long target_of(long process, long first, long place) {
  if (process == first) return 0;
  return process % SPREAD == place ? process / SPREAD % TARGETS % load.files : -1;
}

static long opened_target(long process) {
  return target_of(process, 3, 7);
}

static long mapped_target(long process) {
  return target_of(process, 5, 13);
}

static bool holds_opened(long process) {
  return process == 17 || process == 21;
}

static bool holds_mapped(long process) {
  return process == 19 || process == 23;
}

enum { REPLACES = 8, LEAST_PROCESSES = 24 };

static void tell(long process) {
  char path[PATH_MAX];
  int pid = (int)load.pids[process];
  if (opened_target(process) >= 0) printf("holds %d %s\n", pid, target_path(path, opened_target(process)));
  if (mapped_target(process) >= 0) printf("holds %d %s\n", pid, target_path(path, mapped_target(process)));
  if (holds_opened(process)) printf("holds %d %s\n", pid, in_dir(path, "opened"));
  if (holds_mapped(process)) printf("holds %d %s\n", pid, in_dir(path, "mapped"));
  printf("holds %d %s\n", pid, in_dir(path, "common"));
}

/* ---- In a child ---- */

static int hold_open(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    perror(path);
    _exit(1);
  }
  return fd;
}

static void hold_mapped(const char *path) {
  int fd = hold_open(path);
  if (mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED) {
    perror("mmap");
    _exit(1);
  }
  close(fd);
}

static unsigned next_random(unsigned *seed) {
  *seed = *seed * 1664525U + 1013904223U;
  return *seed >> 8;
}

/* Up to four segments of one file, as a loader maps a library, and a page between them and the next. */
static long map_library(const char *path, long most) {
  static const int protections[SEGMENTS] = {PROT_READ, PROT_READ | PROT_EXEC, PROT_READ, PROT_READ | PROT_WRITE};
  int fd = hold_open(path);
  char *base = mmap(NULL, SEGMENTS * SEGMENT + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  long count = 0;
  for (; base != MAP_FAILED && count < SEGMENTS && count < most; count++) {
    off_t place = (off_t)count * SEGMENT;
    if (mmap(base + place, SEGMENT, protections[count], MAP_PRIVATE | MAP_FIXED, fd, place) == MAP_FAILED)
      base = MAP_FAILED;
  }
  if (base == MAP_FAILED) {
    perror("mmap");
    _exit(1);
  }
  close(fd);
  return count;
}

/* Returns how many descriptors it took: a pipe has two. */
static int open_something(int count, unsigned *seed) {
  char path[PATH_MAX];
  int ends[2];
  int result = 0;
  int kind = count % 10;
  if (kind < 4)
    hold_open(pool_path(path, next_random(seed)));
  else if (kind < 7)
    result = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  else if (kind < 9)
    result = pipe2(ends, O_CLOEXEC);
  else
    result = eventfd(0, EFD_CLOEXEC);
  if (result < 0) {
    perror("descriptor");
    _exit(1);
  }
  return kind >= 7 && kind < 9 ? 2 : 1;
}

/* One of the processes holds a file that was replaced, so that a scan has to look at a deleted name, too. */
static int hold_replaced(void) {
  char path[PATH_MAX];
  char replacement[PATH_MAX];
  hold_open(in_dir(path, "replaced"));
  hold_mapped(path);
  if (rename(in_dir(replacement, "replacement"), path) < 0) {
    perror(path);
    _exit(1);
  }
  return 1;
}

static int hold_targets(long process) {
  char path[PATH_MAX];
  int opened = 0;
  if (opened_target(process) >= 0) opened += hold_open(target_path(path, opened_target(process))) >= 0;
  if (holds_opened(process)) opened += hold_open(in_dir(path, "opened")) >= 0;
  if (mapped_target(process) >= 0) hold_mapped(target_path(path, mapped_target(process)));
  if (holds_mapped(process)) hold_mapped(in_dir(path, "mapped"));
  hold_mapped(in_dir(path, "common"));
  if (process == REPLACES) opened += hold_replaced();
  return opened;
}

__attribute__((noreturn)) static void be_process(long process, pid_t parent, int ready) {
  char path[PATH_MAX];
  signal(SIGTERM, load.deaf ? SIG_IGN : SIG_DFL);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || dup2(null, 0) < 0 || dup2(null, 1) < 0) _exit(1);
  if (null >= FIRST_DESCRIPTOR) close(null);
  unsigned seed = (unsigned)process * 2654435761U;
  int count = FIRST_DESCRIPTOR + hold_targets(process);
  for (long mapped = 1; mapped < load.mappings;)
    mapped += map_library(pool_path(path, next_random(&seed)), load.mappings - mapped);
  while (count < load.descriptors) count += open_something(count, &seed);
  if (write(ready, "", 1) != 1) _exit(1);
  close(ready);
  for (;;) pause();
}

/* ---- In the parent ---- */

static void allow_descriptors(void) {
  struct rlimit limit;
  rlim_t needed = (rlim_t)load.descriptors + 64;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) die("getrlimit");
  if (limit.rlim_cur >= needed) return;
  limit.rlim_cur = needed;
  if (limit.rlim_max < needed) limit.rlim_max = needed;
  if (setrlimit(RLIMIT_NOFILE, &limit) < 0) die("setrlimit");
}

/* Returns when all of them hold what they should; the pipe ends early if one could not. */
static void start_processes(void) {
  int ready[2];
  char bytes[256];
  pid_t self = getpid();
  load.pids = calloc((size_t)load.processes, sizeof *load.pids);
  if (!load.pids || pipe2(ready, O_CLOEXEC) < 0) die("load");
  fflush(stdout);
  for (; load.started < load.processes; load.started++) {
    pid_t pid = fork();
    if (pid < 0) die("fork");
    if (pid == 0) {
      close(ready[0]);
      be_process(load.started, self, ready[1]);
    }
    load.pids[load.started] = pid;
  }
  close(ready[1]);
  ssize_t got = 0;
  for (long count = 0; count < load.processes; count += got) {
    do got = read(ready[0], bytes, sizeof bytes);
    while (got < 0 && errno == EINTR && !asked);
    if (got > 0) continue;
    fprintf(stderr, "load: only %ld of %ld processes came up\n", count, load.processes);
    clean_up();
    exit(1);
  }
  close(ready[0]);
}

/* INT comes from a terminal to all at once; the end is for our owner to decide, who closes our input. */
static void choose_signals(void) {
  struct sigaction action = {.sa_handler = on_term};
  sigaction(SIGTERM, &action, NULL);
  signal(SIGINT, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
}

static bool read_arguments(int argc, char **argv) {
  if (argc < 6 || argc > 7) return false;
  load.processes = strtol(argv[2], NULL, 10);
  load.descriptors = strtol(argv[3], NULL, 10);
  load.mappings = strtol(argv[4], NULL, 10);
  load.files = strtol(argv[5], NULL, 10);
  load.deaf = argc == 7;
  if (load.deaf && strcmp(argv[6], "deaf") != 0) return false;
  return load.processes >= LEAST_PROCESSES && load.descriptors >= 0 && load.mappings >= 0 && load.files > 0;
}

int main(int argc, char **argv) {
  char byte[64];
  if (!read_arguments(argc, argv)) {
    fprintf(stderr, "usage: load FOLDER PROCESSES DESCRIPTORS MAPPINGS FILES [deaf]; at least %d processes, 1 file\n",
            LEAST_PROCESSES);
    return 2;
  }
  choose_signals();
  allow_descriptors();
  make_files(argv[1]);
  start_processes();
  for (long i = 0; i < load.processes; i++) tell(i);
  printf("ready\n");
  bool told = fflush(stdout) == 0; /* else our owner has gone already */
  while (told && !asked && (read(STDIN_FILENO, byte, sizeof byte) > 0 || (errno == EINTR && !asked))) errno = 0;
  return clean_up() ? 0 : 1;
}
