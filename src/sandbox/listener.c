/*
** The listening socket, the thread that serves it, and libmicrohttpd's callbacks.
*/
#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "response.h"

enum {
  CONNECTION_MEMORY = 256 * 1024, /* bytes, for the headers of a request and its response */
  BACKLOG = 4096,      /* connections that wait to be accepted; the system may allow fewer */
  DESCRIPTORS = 65536, /* the soft limit that raise_descriptor_limit sets */
  STEP_MS = 20         /* the longest wait if an event has no descriptor */
};

/* ---- libmicrohttpd's callbacks ---- */

/* Copies the target as it is on the wire: libmicrohttpd decodes it in place later. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *connection) {
  (void)cls;
  (void)connection;
  return ck_request_new(target);
}

/* Numbers the connection, which accept_all() has counted. */
static void on_connection(void *cls, struct MHD_Connection *connection, void **number,
                          enum MHD_ConnectionNotificationCode event) {
  struct ck_listener *listener = cls;
  (void)connection;
  if (event == MHD_CONNECTION_NOTIFY_STARTED)
    *number = (void *)(uintptr_t)atomic_load(&listener->connections);
}

/* Removes the request from the list of suspended ones. */
static void unlink_request(struct ck_listener *listener, struct ck_request *request) {
  struct ck_request **link = &listener->suspended;
  while (*link != NULL && *link != request) link = &(*link)->next;
  if (*link != NULL) *link = request->next;
  request->suspended = NULL;
}

/* Sends the response, or suspends the connection until it is due. MHD_NO closes the connection. */
static enum MHD_Result respond(struct ck_listener *listener, struct ck_request *request,
                               struct MHD_Connection *connection) {
  if (request->due > ck_clock_now()) {
    request->suspended = connection;
    request->next = listener->suspended;
    listener->suspended = request;
    MHD_suspend_connection(connection);
    return MHD_YES;
  }
  if (request->drop) return MHD_NO;
  return MHD_queue_response(connection, request->status, request->response);
}

/*
** Called once when the headers are complete, then for each piece of the body, then once more when
** the body is complete, and again after the connection was suspended.
*/
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **context) {
  struct ck_listener *listener = cls;
  struct ck_request *request = *context;
  (void)url;
  (void)version;
  if (request == NULL) return MHD_NO; /* on_target had no memory */
  if (request->method == NULL) {
    request->method = method;
    return MHD_YES;
  }
  if (*size > 0) {
    bool added = ck_request_add_body(request, data, *size);
    *size = 0;
    return added ? MHD_YES : MHD_NO;
  }
  if (!request->has_response) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    request->connection = info == NULL ? 0 : (unsigned long)(uintptr_t)info->socket_context;
    if (!ck_request_read_headers(request, connection)) return MHD_NO;
    ck_respond(listener->app, request);
  }
  return respond(listener, request, connection);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode why) {
  struct ck_request *request = *context;
  (void)connection;
  (void)why;
  if (request != NULL && request->suspended != NULL) unlink_request(cls, request);
  ck_request_free(request);
  *context = NULL;
}

/* ---- connections ---- */

/* Returns a socket that no child process inherits; -1 without one. */
static int accept_socket(int listening, struct sockaddr_in *peer) {
  socklen_t size = sizeof *peer;
#ifdef __linux__
  return accept4(listening, (struct sockaddr *)peer, &size, SOCK_CLOEXEC);
#else
  return accept(listening, (struct sockaddr *)peer, &size); /* MHD_add_connection sets the flag */
#endif
}

/* libmicrohttpd owns the socket, and closes it if it cannot serve it. */
static void add_connection(struct ck_listener *listener, int fd, const struct sockaddr_in *peer) {
  atomic_fetch_add(&listener->connections, 1);
  if (MHD_add_connection(listener->daemon, fd, (const struct sockaddr *)peer, sizeof *peer) !=
      MHD_YES)
    fprintf(stderr, "cekura.sandbox: connection %lu was closed: %s\n",
            atomic_load(&listener->connections), strerror(errno));
}

/*
** Accepts the connections in the backlog. They remain there as long as the process has no
** descriptor for them.
*/
static void accept_all(struct ck_listener *listener) {
  struct sockaddr_in peer;
  int fd;
  while ((fd = accept_socket(listener->listening, &peer)) >= 0) {
    add_connection(listener, fd, &peer);
    listener->has_shortage = false;
  }
  bool shortage = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
  if (shortage && !listener->has_shortage)
    fprintf(stderr, "cekura.sandbox: cannot accept more connections now: %s\n", strerror(errno));
  listener->has_shortage = shortage;
}

/* ---- the thread ---- */

/* Resumes the connections whose response is due; `now` = HUGE_VAL resumes all. */
static void resume_due(struct ck_listener *listener, double now) {
  struct ck_request *request = listener->suspended;
  while (request != NULL) {
    struct ck_request *next = request->next;
    struct MHD_Connection *connection = request->suspended;
    if (request->due <= now) {
      unlink_request(listener, request);
      MHD_resume_connection(connection);
    }
    request = next;
  }
}

/* Returns how long the thread may sleep, in milliseconds; -1 = until an event. */
static int longest_wait(const struct ck_listener *listener) {
  MHD_UNSIGNED_LONG_LONG limit;
  double ms = MHD_get_timeout(listener->daemon, &limit) == MHD_YES ? (double)limit : -1;
  double now = ck_clock_now();
  for (const struct ck_request *r = listener->suspended; r != NULL; r = r->next) {
    double left = r->due > now ? (r->due - now) * 1000 + 1 : 0; /* + 1: never too early */
    if (ms < 0 || left < ms) ms = left;
  }
  return ms > 60000 ? 60000 : (int)ms;
}

/*
** Waits for events and handles them. `work` is the descriptor of libmicrohttpd's epoll, or -1.
** Returns false if the thread must end.
*/
static bool step(struct ck_listener *listener, int work) {
  /* poll() ignores negative descriptors */
  int listening = listener->has_shortage ? -1 : listener->listening;
  struct pollfd fds[] = { { listener->wake[0], POLLIN, 0 },
                          { listening, POLLIN, 0 },
                          { work, POLLIN, 0 } };
  int ms = longest_wait(listener);
  if ((work < 0 || listening < 0) && (ms < 0 || ms > STEP_MS)) ms = STEP_MS;
  if (poll(fds, sizeof fds / sizeof fds[0], ms) < 0 && errno != EINTR) return false;
  if (fds[0].revents != 0) return false;
  accept_all(listener);
  resume_due(listener, ck_clock_now());
  return MHD_run(listener->daemon) == MHD_YES;
}

static void *serve(void *arg) {
  struct ck_listener *listener = arg;
  const union MHD_DaemonInfo *info =
      MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD);
  int work = info == NULL ? -1 : info->epoll_fd;
  while (step(listener, work))
    ;
  resume_due(listener, HUGE_VAL); /* MHD_stop_daemon aborts if a connection is suspended */
  return NULL;
}

/* Starts the thread with all signals blocked: they are for the host's threads. */
static int start_thread(struct ck_listener *listener) {
  sigset_t all, before;
  sigfillset(&all);
  int failed = pthread_sigmask(SIG_SETMASK, &all, &before);
  if (failed) return failed;
  failed = pthread_create(&listener->thread, NULL, serve, listener);
  pthread_sigmask(SIG_SETMASK, &before, NULL); /* cannot fail: the mask is valid */
  listener->has_thread = !failed;
  return failed;
}

/* ---- open and close ---- */

static bool set_flags(int fd, int more) {
  int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && fcntl(fd, F_SETFL, flags | more) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static bool open_socket(struct ck_listener *listener, unsigned short port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  if (fd < 0) return false;
  listener->listening = fd;
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (!set_flags(fd, O_NONBLOCK) ||
      setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
      bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, BACKLOG) != 0 ||
      getsockname(fd, (struct sockaddr *)&address, &size) != 0)
    return false;
  listener->port = ntohs(address.sin_port);
  return true;
}

/*
** Raises the soft limit of descriptors, often 1,024: a sandbox and a client in one process need two
** per connection. If that fails, connections wait in the backlog.
*/
static void raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  rlim_t wanted = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Without epoll, select() limits the number of connections. */
static struct MHD_Daemon *start_daemon(struct ck_listener *listener) {
  unsigned limit = MHD_is_feature_supported(MHD_FEATURE_EPOLL) == MHD_YES ? INT_MAX : FD_SETSIZE;
  return MHD_start_daemon(MHD_USE_AUTO | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET, 0,
                          NULL, NULL, on_request, listener, MHD_OPTION_URI_LOG_CALLBACK, on_target,
                          listener, MHD_OPTION_NOTIFY_COMPLETED, on_completed, listener,
                          MHD_OPTION_NOTIFY_CONNECTION, on_connection, listener,
                          MHD_OPTION_CONNECTION_LIMIT, limit, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                          (size_t)CONNECTION_MEMORY, MHD_OPTION_END);
}

const char *ck_listener_open(struct ck_listener *listener, struct ck_app *app,
                             unsigned short port) {
  listener->app = app;
  listener->listening = -1;
  raise_descriptor_limit();
  errno = 0;
  if (pipe(listener->wake) != 0) return "cannot make a pipe";
  listener->has_wake = true;
  if (!set_flags(listener->wake[0], 0) || !set_flags(listener->wake[1], 0))
    return "cannot make a pipe";
  if (!open_socket(listener, port)) return "cannot listen";
  listener->daemon = start_daemon(listener);
  if (listener->daemon == NULL) return "cannot start libmicrohttpd";
  errno = start_thread(listener);
  return errno ? "cannot start a thread" : NULL;
}

/* The pipe was opened first: without it, nothing else is open. */
static void close_descriptors(struct ck_listener *listener) {
  if (!listener->has_wake) return;
  close(listener->wake[0]);
  close(listener->wake[1]);
  listener->has_wake = false;
  if (listener->listening >= 0) close(listener->listening);
  listener->listening = -1;
}

void ck_listener_close(struct ck_listener *listener) {
  if (listener->has_thread) {
    while (write(listener->wake[1], "", 1) < 0 && errno == EINTR)
      ;
    pthread_join(listener->thread, NULL); /* cannot fail: it is joined once */
    listener->has_thread = false;
  }
  if (listener->daemon != NULL) MHD_stop_daemon(listener->daemon);
  listener->daemon = NULL;
  close_descriptors(listener);
}

/*
** The child's copy of the daemon is never freed: stopping it would shut down the parent's sockets.
** The port becomes free when the parent has closed its listening socket, too.
*/
void ck_listener_abandon(struct ck_listener *listener) {
  listener->daemon = NULL;
  listener->has_thread = false;
  close_descriptors(listener);
}
