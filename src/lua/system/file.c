/*
** Files for the journal and for state: locked, appended to as a whole, forced to disk, replaced at
** once. Every function that Lua calls returns a value, or nil and "PATH: reason".
*/
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

enum { PATH = 1 }; /* the user value: the path, for messages */

struct file {
  int fd;      /* -1: closed */
  int folder;  /* of a relative path, in spite of a later chdir; -1 = the current folder */
  pid_t owner; /* the process that may write: a forked child must not */
  off_t torn;  /* bytes at the end of the file that are part of a text that was not written whole */
};

/* ---- arguments and results ----------------------------------------------------------------- */

/* Returns the path of the file at stack index 1, which owns it. */
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

/* nil, "PATH: reason" */
static int push_refusal(lua_State *L, const char *path, const char *reason) {
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", path, reason);
  return 2;
}

/* nil, "PATH: reason", with the reason in errno */
static int push_failure(lua_State *L, const char *path) {
  return push_refusal(L, path, strerror(errno));
}

/* true, or the failure */
static int push_result(lua_State *L, bool ok, const char *path) {
  if (!ok) return push_failure(L, path);
  lua_pushboolean(L, true);
  return 1;
}

/* ---- opening and closing ------------------------------------------------------------------- */

/* Closes without unlocking first: in a forked child, that would release the parent's lock. */
static int file_close(lua_State *L) {
  struct file *file = luaL_checkudata(L, 1, FILE_TYPE);
  if (file->fd >= 0) close(file->fd);
  if (file->folder >= 0) close(file->folder);
  file->fd = file->folder = -1;
  return 0;
}

static int open_file(lua_State *L) {
  const char *path = check_path(L);
  struct file *file = lua_newuserdatauv(L, sizeof(*file), 1);
  *file = (struct file){ .fd = -1, .folder = -1, .owner = getpid() };
  luaL_setmetatable(L, FILE_TYPE);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, PATH);
  file->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
  if (file->fd < 0) return push_failure(L, path);
  if (flock(file->fd, LOCK_EX | LOCK_NB) == 0) {
    if (path[0] != '/') file->folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return 1;
  }
  int why = errno;
  close(file->fd);
  file->fd = -1;
  if (why == EWOULDBLOCK) return push_refusal(L, path, "another run is using this file");
  return push_refusal(L, path, strerror(why));
}

/* ---- reading ------------------------------------------------------------------------------- */

/* Returns how many bytes were read, at most `size`, or -1. */
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

static int file_read(lua_State *L) {
  struct file *file = check_file(L);
  struct stat status;
  luaL_Buffer content;
  if (fstat(file->fd, &status) != 0) return push_failure(L, path_of(L));
  if (!S_ISREG(status.st_mode)) return push_refusal(L, path_of(L), "not a regular file");
  char *to = luaL_buffinitsize(L, &content, (size_t)status.st_size);
  ssize_t length = read_all(file->fd, to, (size_t)status.st_size);
  if (length < 0) return push_failure(L, path_of(L));
  luaL_pushresultsize(&content, (size_t)length);
  return 1;
}

/* ---- writing ------------------------------------------------------------------------------- */

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

/* Returns whether all of the text was written; if not, the part that was is torn. */
static bool write_all(struct file *file, const char *text, size_t length) {
  size_t done = 0;
  while (done < length) {
    ssize_t count = write(file->fd, text + done, length - done);
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = ENOSPC; /* should not happen, and must not loop */
    if (count <= 0) break;
    done += (size_t)count;
  }
  file->torn = done < length ? (off_t)done : 0;
  return done == length;
}

/* Returns whether the path still names this file; if not, other runs lock and read another one. */
static bool is_in_place(const struct file *file, const char *path) {
  struct stat ours, theirs;
  return fstat(file->fd, &ours) == 0 &&
         fstatat(file->folder < 0 ? AT_FDCWD : file->folder, path, &theirs, 0) == 0 &&
         ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

/* A torn text is cut off at once; if that fails, before the next text is written. */
static int file_append(lua_State *L) {
  struct file *file = check_file(L);
  size_t length;
  const char *text = luaL_checklstring(L, 2, &length), *path = path_of(L);
  if (file->owner != getpid())
    return push_refusal(
        L, path, "this file was opened before fork: only the parent process can write to it");
  if (!is_in_place(file, path))
    return push_refusal(L, path, "this file was replaced or deleted while it was in use");
  bool ok = cut_torn(file) && write_all(file, text, length);
  int why = errno;
  if (!ok) (void)cut_torn(file);
  errno = why;
  return push_result(L, ok, path);
}

static int file_truncate(lua_State *L) {
  struct file *file = check_file(L);
  bool ok = cut(file->fd, (off_t)luaL_checkinteger(L, 2));
  return push_result(L, ok, path_of(L));
}

/* ---- forcing to disk ----------------------------------------------------------------------- */

static int sync_content(int fd) {
#if defined(_POSIX_SYNCHRONIZED_IO) && _POSIX_SYNCHRONIZED_IO > 0
  return fdatasync(fd);
#else
  return fsync(fd); /* macOS */
#endif
}

/* Pipes, devices and some file systems cannot be forced to disk, which is not a failure. */
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

/* A folder that may not be read cannot be forced to disk, although files can be made in it. */
static int sync_folder(lua_State *L) {
  const char *path = check_path(L);
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return push_result(L, errno == EACCES, path);
  bool ok = sync_with(fsync, fd);
  int why = errno;
  close(fd);
  errno = why;
  return push_result(L, ok, path);
}

/* ---- replacing a whole file ---------------------------------------------------------------- */

/* Writes to the descriptor and closes it in any case; errno is that of the first failure. */
static bool write_and_close(int fd, const char *text, size_t length) {
  struct file file = { .fd = fd };
  bool ok = write_all(&file, text, length) && sync_with(fsync, fd);
  int why = errno;
  if (close(fd) != 0 && ok) return false;
  errno = why;
  return ok;
}

/* The new file has the permissions of the old one, if there is one. */
static bool replace_with(const char *new_path, const char *path, const char *text, size_t length) {
  struct stat old;
  int fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return false;
  if (stat(path, &old) == 0) (void)fchmod(fd, old.st_mode & 07777);
  if (write_and_close(fd, text, length) && rename(new_path, path) == 0) return true;
  int why = errno;
  (void)unlink(new_path);
  errno = why;
  return false;
}

static bool is_regular_or_missing(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 ? S_ISREG(status.st_mode) : errno == ENOENT;
}

static int replace_file(lua_State *L) {
  size_t length;
  const char *path = check_path(L), *text = luaL_checklstring(L, 2, &length);
  const char *new_path = lua_pushfstring(L, "%s.%d.new", path, (int)getpid());
  if (is_regular_or_missing(path))
    return push_result(L, replace_with(new_path, path, text, length), path);
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY); /* a pipe or a device */
  return push_result(L, fd >= 0 && write_and_close(fd, text, length), path);
}

/* ---- paths --------------------------------------------------------------------------------- */

static int real_path(lua_State *L) {
  const char *path = check_path(L);
  char real[PATH_MAX];
  if (realpath(path, real) == NULL) return push_failure(L, path);
  lua_pushstring(L, real);
  return 1;
}

static int read_link(lua_State *L) {
  char target[PATH_MAX];
  ssize_t length = readlink(check_path(L), target, sizeof(target));
  if (length < 0) return 0;
  lua_pushlstring(L, target, (size_t)length);
  return 1;
}

static int file_id(lua_State *L) {
  struct stat status;
  if (stat(check_path(L), &status) != 0) return 0;
  lua_pushfstring(L, "%I:%I", (LUAI_UACINT)status.st_dev, (LUAI_UACINT)status.st_ino);
  return 1;
}

/* ---- the module ---------------------------------------------------------------------------- */

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
