/*
** An fsync and an fdatasync to be preloaded, as of a slow disk: a sync of a regular file takes
** SLOW_SYNC seconds (0.005 by default). The file SLOW_SYNC_LOG gets a line for each of them: the
** number of bytes that are on disk now. The syncs from the SLOW_SYNC_FAILS-th on fail. Ctrl-C comes
** during the SLOW_SYNC_INTERRUPTED-th.
*/
#pragma GCC visibility push(default)
#include <unistd.h>
#pragma GCC visibility pop

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static double number_of(const char *variable, double otherwise) {
  const char *text = getenv(variable);
  return text != NULL ? strtod(text, NULL) : otherwise;
}

static double now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void note_size(long long size) {
  char line[32];
  const char *path = getenv("SLOW_SYNC_LOG");
  int log = path != NULL ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
  if (log < 0) return;
  int length = snprintf(line, sizeof(line), "%lld\n", size);
  if (write(log, line, (size_t)length) != length) abort();
  (void)close(log);
}

static int sync_slowly(const char *name, int fd) {
  static int count;
  struct stat status;
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return real(fd);
  if (++count == number_of("SLOW_SYNC_INTERRUPTED", 0)) (void)raise(SIGINT);
  if (count >= number_of("SLOW_SYNC_FAILS", 1e9)) {
    errno = EIO;
    return -1;
  }
  double end = now() + number_of("SLOW_SYNC", 0.005);
  int result = real(fd);
  double left = end - now();
  if (left > 0) (void)usleep((useconds_t)(left * 1e6));
  if (result == 0) note_size((long long)status.st_size);
  return result;
}

int fsync(int fd) { return sync_slowly("fsync", fd); }

int fdatasync(int fildes) { return sync_slowly("fdatasync", fildes); }
