/*
** Runs a command without its output, and prints a line: seconds of CPU, seconds, the largest memory in
** KiB, and the largest number of descriptors, which is 0 unless -d is given.
**
**   usage [-d] COMMAND ARGUMENT…
*/
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double seconds(struct timeval time) {
  return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static pid_t start(char **command) {
  pid_t child = fork();
  if (child != 0) return child;
  int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  dup2(null, 1);
  execvp(command[0], command);
  perror(command[0]);
  _exit(127);
}

/* Returns the number of descriptors of a process, without "." and "..". */
static int count_descriptors(pid_t child) {
  char path[64];
  (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)child);
  DIR *folder = opendir(path);
  if (folder == NULL) return 0;
  int count = 0;
  while (readdir(folder) != NULL) count++;
  closedir(folder);
  return count > 2 ? count - 2 : 0;
}

/* Waits for the end of the child, and counts its descriptors every millisecond if `count` is set. */
static int wait_for(pid_t child, int count, int *status, struct rusage *usage) {
  int most = 0;
  while (count && wait4(child, status, WNOHANG, usage) == 0) {
    int descriptors = count_descriptors(child);
    if (descriptors > most) most = descriptors;
    usleep(1000);
  }
  if (!count) wait4(child, status, 0, usage);
  return most;
}

int main(int argc, char **argv) {
  int count = argc > 1 && strcmp(argv[1], "-d") == 0, status;
  struct rusage usage;
  if (argc < 2 + count) return 2;
  double begin = now();
  pid_t child = start(argv + 1 + count);
  if (child < 0) return 1;
  int descriptors = wait_for(child, count, &status, &usage);
  printf("%.6f %.6f %ld %d\n", seconds(usage.ru_utime) + seconds(usage.ru_stime), now() - begin,
         usage.ru_maxrss, descriptors);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
