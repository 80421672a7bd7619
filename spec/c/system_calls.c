/*
** Counts system calls: a library to be preloaded, which is also a Lua module.
**
**   require "system_calls"()   the counts so far: epoll_ctl, epoll_wait, getpid, connect, peek
**
** libcurl 8.23 has a descriptor that it registers for each call: epoll_ctl counts connections only.
** With OLD_KERNEL in the environment, madvise refuses to have a page cleared in children.
*/
#include <lauxlib.h>
#include <lua.h>

#pragma GCC visibility push(default)
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#pragma GCC visibility pop

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

__attribute__((visibility("default"))) int luaopen_system_calls(lua_State *L);

static atomic_int controls, waits, pids, connections, peeks;

static int is_connection(int fd) {
  int domain;
  socklen_t length = sizeof(domain);
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_INET;
}

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event) {
  int (*real)(int, int, int, struct epoll_event *);
  *(void **)&real = dlsym(RTLD_NEXT, "epoll_ctl");
  if (is_connection(fd)) controls++;
  return real(epfd, op, fd, event);
}

int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout) {
  int (*real)(int, struct epoll_event *, int, int);
  *(void **)&real = dlsym(RTLD_NEXT, "epoll_wait");
  waits++;
  return real(epfd, events, maxevents, timeout);
}

pid_t getpid(void) {
  pid_t (*real)(void);
  *(void **)&real = dlsym(RTLD_NEXT, "getpid");
  pids++;
  return real();
}

int connect(int fd, const struct sockaddr *addr, socklen_t len) {
  int (*real)(int, const struct sockaddr *, socklen_t);
  *(void **)&real = dlsym(RTLD_NEXT, "connect");
  connections++;
  return real(fd, addr, len);
}

ssize_t recv(int fd, void *buf, size_t n, int flags) {
  ssize_t (*real)(int, void *, size_t, int);
  *(void **)&real = dlsym(RTLD_NEXT, "recv");
  if (flags & MSG_PEEK) peeks++;
  return real(fd, buf, n, flags);
}

int madvise(void *addr, size_t len, int advice) {
  int (*real)(void *, size_t, int);
  *(void **)&real = dlsym(RTLD_NEXT, "madvise");
  if (advice != MADV_WIPEONFORK || getenv("OLD_KERNEL") == NULL) return real(addr, len, advice);
  errno = EINVAL;
  return -1;
}

static int push_counts(lua_State *L) {
  lua_createtable(L, 0, 5);
  lua_pushinteger(L, controls);
  lua_setfield(L, -2, "epoll_ctl");
  lua_pushinteger(L, waits);
  lua_setfield(L, -2, "epoll_wait");
  lua_pushinteger(L, pids);
  lua_setfield(L, -2, "getpid");
  lua_pushinteger(L, connections);
  lua_setfield(L, -2, "connect");
  lua_pushinteger(L, peeks);
  lua_setfield(L, -2, "peek");
  return 1;
}

int luaopen_system_calls(lua_State *L) {
  lua_pushcfunction(L, push_counts);
  return 1;
}
