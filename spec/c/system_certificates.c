/*
** Functions to be preloaded that move the folder of Debian's certificate authorities to the folder
** SYSTEM_CERTIFICATES. Each opening of its file ca-certificates.crt adds a byte to its file "opened".
*/
#pragma GCC visibility push(default)
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#pragma GCC visibility pop

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char *move(const char *path, char moved[PATH_MAX]) {
  static const char from[] = "/etc/ssl/certs";
  const char *to = getenv("SYSTEM_CERTIFICATES");
  if (to == NULL || strncmp(path, from, strlen(from)) != 0) return path;
  (void)snprintf(moved, PATH_MAX, "%s%s", to, path + strlen(from));
  return moved;
}

static void note_opened(const char *path) {
  char opened[PATH_MAX];
  if (strcmp(path, "/etc/ssl/certs/ca-certificates.crt") != 0) return;
  int file = open(move("/etc/ssl/certs/opened", opened), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (file < 0 || write(file, "!", 1) != 1 || close(file) != 0) abort();
}

typedef FILE *opener(const char *, const char *);

FILE *fopen(const char *filename, const char *modes) {
  char moved[PATH_MAX];
  note_opened(filename);
  return ((opener *)dlsym(RTLD_NEXT, "fopen"))(move(filename, moved), modes);
}

FILE *fopen64(const char *filename, const char *modes) {
  char moved[PATH_MAX];
  note_opened(filename);
  return ((opener *)dlsym(RTLD_NEXT, "fopen64"))(move(filename, moved), modes);
}

int access(const char *name, int type) {
  typedef int function(const char *, int);
  char moved[PATH_MAX];
  return ((function *)dlsym(RTLD_NEXT, "access"))(move(name, moved), type);
}

int stat(const char *file, struct stat *buf) {
  typedef int function(const char *, struct stat *);
  char moved[PATH_MAX];
  return ((function *)dlsym(RTLD_NEXT, "stat"))(move(file, moved), buf);
}

int lstat(const char *file, struct stat *buf) {
  typedef int function(const char *, struct stat *);
  char moved[PATH_MAX];
  return ((function *)dlsym(RTLD_NEXT, "lstat"))(move(file, moved), buf);
}
