#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char FILE_TYPE[] = "cekura.file";

enum { PATH = 1 }; /* the user value: for messages */

struct file {
  int fd;      /* -1: closed */
  int folder;  /* that a relative path is relative to, whatever chdir does; -1 = the current one */
  pid_t owner; /* only this process writes: a child would write of what the parent does */
  off_t torn;  /* so many bytes at the end are of a text that could not be written whole */
};

/* ---- arguments and results ----------------------------------------------------------------- */

/* Of the file that is the first argument, and as long as that is. */
static const char *path_of(lua_State *L) {
  lua_getiuservalue(L, 1, PATH);
  const char *path = lua_tostring(L, -1);
  lua_pop(L, 1);
  return path;
}

static struct file *check_file(lua_State *L) {
  struct file *file = luaL_checkudata(L, 1, FILE_TYPE);
  if (file->fd < 0) luaL_error(L, "%s: this file has been closed", path_of(L));
  return file;
}

static const char *check_path(lua_State *L) {
  size_t length;
  const char *path = luaL_checklstring(L, 1, &length);
  luaL_argcheck(L, strlen(path) == length, 1, "a path without a zero byte expected");
  return path;
}

/* nil, "PATH: what errno says" */
static int push_failure(lua_State *L, const char *path) {
  luaL_fileresult(L, 0, path);
  lua_pop(L, 1); /* the number: messages are for people */
  return 2;
}

/* true, or the failure */
static int push_result(lua_State *L, bool ok, const char *path) {
  if (!ok) return push_failure(L, path);
  lua_pushboolean(L, true);
  return 1;
}

/* ---- opening and closing ------------------------------------------------------------------------ */

/* path, … → path, …, file */
static struct file *new_file(lua_State *L) {
  struct file *file = lua_newuserdatauv(L, sizeof(*file), 1);
  *file = (struct file){ .fd = -1, .folder = -1, .owner = getpid() };
  luaL_setmetatable(L, FILE_TYPE);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, PATH);
  return file;
}

/* Not unlocked first: in a forked child that would end the parent's lock. */
static int file_close(lua_State *L) {
  struct file *file = luaL_checkudata(L, 1, FILE_TYPE);
  if (file->fd >= 0) close(file->fd);
  if (file->folder >= 0) close(file->folder);
  file->fd = file->folder = -1;
  return 0;
}

static int push_unlocked(lua_State *L, const char *path) {
  if (errno != EWOULDBLOCK) return push_failure(L, path);
  lua_pushnil(L);
  lua_pushfstring(L, "%s: another run is using this file", path);
  return 2;
}

static int open_file(lua_State *L) {
  const char *path = check_path(L);
  struct file *file = new_file(L);
  file->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
  if (file->fd < 0) return push_failure(L, path);
  if (flock(file->fd, LOCK_EX | LOCK_NB) == 0) {
    if (path[0] != '/') file->folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return 1;
  }
  int results = push_unlocked(L, path);
  close(file->fd);
  file->fd = -1;
  return results;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Returns how many bytes there were, at most `size`, or -1. */
static ssize_t read_all(int fd, char *to, size_t size) {
  size_t done = 0;
  while (done < size) {
    ssize_t count = pread(fd, to + done, size - done, (off_t)done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -1;
    if (count == 0) break;
    done += (size_t)count;
  }
  return (ssize_t)done;
}

static int push_irregular(lua_State *L, const char *path) {
  lua_pushnil(L);
  lua_pushfstring(L, "%s: not a regular file", path);
  return 2;
}

static int file_read(lua_State *L) {
  struct file *file = check_file(L);
  struct stat status;
  luaL_Buffer content;
  if (fstat(file->fd, &status) != 0) return push_failure(L, path_of(L));
  if (!S_ISREG(status.st_mode)) return push_irregular(L, path_of(L));
  char *to = luaL_buffinitsize(L, &content, (size_t)status.st_size);
  ssize_t length = read_all(file->fd, to, (size_t)status.st_size);
  if (length < 0) return push_failure(L, path_of(L));
  luaL_pushresultsize(&content, (size_t)length);
  return 1;
}

/* ---- writing -------------------------------------------------------------------------------- */

static bool cut(int fd, off_t size) {
  int status;
  do {
    status = ftruncate(fd, size);
  } while (status != 0 && errno == EINTR);
  return status == 0;
}

static bool cut_torn(struct file *file) {
  struct stat status;
  if (file->torn == 0) return true;
  if (fstat(file->fd, &status) != 0 || !cut(file->fd, status.st_size - file->torn)) return false;
  file->torn = 0;
  return true;
}

/* What was written of the text, if it could not be written whole, is torn. */
static bool write_all(struct file *file, const char *text, size_t length) {
  size_t done = 0;
  while (done < length) {
    ssize_t count = write(file->fd, text + done, length - done);
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = ENOSPC; /* no file does so; one that did would hold us for ever */
    if (count <= 0) break;
    done += (size_t)count;
  }
  file->torn = done < length ? (off_t)done : 0;
  return done == length;
}

/* What cannot be cut off at once must be before anything is written behind it. */
static bool append(struct file *file, const char *text, size_t length) {
  if (!cut_torn(file)) return false;
  if (write_all(file, text, length)) return true;
  int why = errno;
  (void)cut_torn(file);
  errno = why;
  return false;
}

static int push_parents(lua_State *L, const char *path) {
  lua_pushnil(L);
  lua_pushfstring(L, "%s: this file was opened before fork: it is the parent's", path);
  return 2;
}

static int push_replaced(lua_State *L, const char *path) {
  lua_pushnil(L);
  lua_pushfstring(L, "%s: this file was replaced or deleted while it was in use", path);
  return 2;
}

/* Whether the path still names this file: others would lock and read another one. */
static bool is_in_place(const struct file *file, const char *path) {
  struct stat ours, theirs;
  return fstat(file->fd, &ours) == 0 &&
         fstatat(file->folder < 0 ? AT_FDCWD : file->folder, path, &theirs, 0) == 0 &&
         ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

static int file_append(lua_State *L) {
  struct file *file = check_file(L);
  size_t length;
  const char *text = luaL_checklstring(L, 2, &length);
  if (file->owner != getpid()) return push_parents(L, path_of(L));
  if (!is_in_place(file, path_of(L))) return push_replaced(L, path_of(L));
  bool ok = append(file, text, length);
  return push_result(L, ok, path_of(L));
}

static int file_truncate(lua_State *L) {
  struct file *file = check_file(L);
  bool ok = cut(file->fd, (off_t)luaL_checkinteger(L, 2));
  return push_result(L, ok, path_of(L));
}

/* ---- forcing to disk -------------------------------------------------------------------------- */

/* The content, and what is needed to read it again. */
static int sync_content(int fd) {
#if defined(_POSIX_SYNCHRONIZED_IO) && _POSIX_SYNCHRONIZED_IO > 0
  return fdatasync(fd);
#else
  return fsync(fd); /* macOS */
#endif
}

/* Pipes, devices and a few file systems have nothing to force: no failure, and no more to do. */
static bool sync_with(int (*force)(int), int fd) {
  int status;
  do {
    status = force(fd);
  } while (status != 0 && errno == EINTR);
  return status == 0 || errno == EINVAL || errno == ENOTSUP;
}

static int file_sync(lua_State *L) {
  struct file *file = check_file(L);
  bool ok = sync_with(sync_content, file->fd);
  return push_result(L, ok, path_of(L));
}

/* Files can be made in a folder that may not be read, and then there is no way to force it. */
static bool sync_folder_at(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno == EACCES;
  bool ok = sync_with(fsync, fd);
  int why = errno;
  close(fd);
  errno = why;
  return ok;
}

static int sync_folder(lua_State *L) {
  const char *path = check_path(L);
  bool ok = sync_folder_at(path);
  return push_result(L, ok, path);
}

/* ---- replacing a whole file ------------------------------------------------------------------ */

/* Copies the permissions of the file that is replaced, if there is one. */
static bool write_new(int fd, const char *path, const char *text, size_t length) {
  struct file file = { .fd = fd };
  struct stat old;
  if (stat(path, &old) == 0) (void)fchmod(fd, old.st_mode & 07777);
  return write_all(&file, text, length) && sync_with(fsync, fd);
}

/* Closes the descriptor whatever happens; errno is that of the first failure. */
static bool write_and_close(int fd, const char *path, const char *text, size_t length) {
  bool ok = write_new(fd, path, text, length);
  int why = errno;
  if (close(fd) != 0 && ok) return false;
  errno = why;
  return ok;
}

static bool replace_with(const char *new_path, const char *path, const char *text, size_t length) {
  int fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return false;
  if (write_and_close(fd, path, text, length) && rename(new_path, path) == 0) return true;
  int why = errno;
  (void)unlink(new_path);
  errno = why;
  return false;
}

/* A pipe or a device is written to; there is nothing to replace. */
static bool write_to(const char *path, const char *text, size_t length) {
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
  return fd >= 0 && write_and_close(fd, path, text, length);
}

static bool is_regular_or_missing(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 ? S_ISREG(status.st_mode) : errno == ENOENT;
}

/*
** replace_file(path, text): makes the text the content of the file. The file has its old content or
** all of the new one, whatever happens. `path` is not a symbolic link: it would be replaced.
*/
static int replace_file(lua_State *L) {
  size_t length;
  const char *path = check_path(L), *text = luaL_checklstring(L, 2, &length);
  const char *new_path = lua_pushfstring(L, "%s.%d.new", path, (int)getpid());
  bool ok = is_regular_or_missing(path) ? replace_with(new_path, path, text, length)
                                        : write_to(path, text, length);
  return push_result(L, ok, path);
}

/* ---- which file a path names ------------------------------------------------------------------ */

/* real_path(path): the absolute path without symbolic links, or nil and why there is none */
static int real_path(lua_State *L) {
  const char *path = check_path(L);
  char real[PATH_MAX];
  if (realpath(path, real) == NULL) return push_failure(L, path);
  lua_pushstring(L, real);
  return 1;
}

/* read_link(path): where the symbolic link leads, or nil if the path names anything else */
static int read_link(lua_State *L) {
  char target[PATH_MAX];
  ssize_t length = readlink(check_path(L), target, sizeof(target));
  if (length < 0) return 0;
  lua_pushlstring(L, target, (size_t)length);
  return 1;
}

/* file_id(path): the same text for all names of one file, or nil if there is no such file */
static int file_id(lua_State *L) {
  struct stat status;
  if (stat(check_path(L), &status) != 0) return 0;
  lua_pushfstring(L, "%I:%I", (LUAI_UACINT)status.st_dev, (LUAI_UACINT)status.st_ino);
  return 1;
}

/* ---- the module -------------------------------------------------------------------------------- */

static const luaL_Reg methods[] = {
  { "read", file_read },         { "append", file_append },
  { "truncate", file_truncate }, { "sync", file_sync },
  { "close", file_close },       { "__gc", file_close },
  { "__close", file_close },     { NULL, NULL },
};

static const luaL_Reg functions[] = { { "open_file", open_file },
                                      { "sync_folder", sync_folder },
                                      { "replace_file", replace_file },
                                      { "real_path", real_path },
                                      { "read_link", read_link },
                                      { "file_id", file_id },
                                      { NULL, NULL } };

void ck_file_add(lua_State *L) {
  luaL_newmetatable(L, FILE_TYPE);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
