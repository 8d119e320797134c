/* player.c: a small program that is updated while it runs; see tools/demo.
 *
 *   player FOLDER
 *
 * It keeps FOLDER/songs.txt open, tells in FOLDER/log what it does, and plays until FOLDER/playing
 * is removed. SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TICK_MS = 50, HARD_LIMIT_SECONDS = 120 };

static volatile sig_atomic_t asked_to_end;

static void on_term(int number) {
  (void)number;
  asked_to_end = 1;
}

static void say(const char *what, const char *song) {
  FILE *log = fopen("log", "a");
  if (!log) return;
  fprintf(log, "player version %d, pid %d: %s%s\n", PLAYER_VERSION, (int)getpid(), what, song);
  fclose(log);
}

int main(int argc, char **argv) {
  struct sigaction action = {.sa_handler = on_term};
  char song[80] = "";
  if (argc != 2 || chdir(argv[1]) < 0) return 2;
  FILE *songs = fopen("songs.txt", "r"); /* stays open: the file is in use as long as we run */
  if (!songs || !fgets(song, sizeof song, songs)) return 2;
  song[strcspn(song, "\n")] = '\0';

  sigaction(SIGTERM, &action, NULL);
  alarm(HARD_LIMIT_SECONDS);
  say("plays ", song);
  while (!asked_to_end && access("playing", F_OK) == 0) poll(NULL, 0, TICK_MS);
  say(asked_to_end ? "was asked to end" : "has played everything", "");
  fclose(songs);
  return 0;
}
