#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "clock.h"

enum {
  CONNECTION_MEMORY = 64 * 1024, /* bytes; the headers of a request and its answer fit in */
  STEP_MS = 20 /* longest wait where libmicrohttpd has no descriptor that could be waited for */
};

/* ---- requests, as libmicrohttpd hands them over ---- */

/* libmicrohttpd decodes the target later, in place: this is the only chance to see it raw. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *connection) {
  (void)cls;
  (void)connection;
  return ck_request_new(target);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **number,
                          enum MHD_ConnectionNotificationCode event) {
  struct ck_listener *listener = cls;
  (void)connection;
  if (event == MHD_CONNECTION_NOTIFY_STARTED)
    *number = (void *)(uintptr_t)(atomic_fetch_add(&listener->connections, 1) + 1);
}

static unsigned long number_of(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info == NULL ? 0 : (unsigned long)(uintptr_t)info->socket_context;
}

static void suspend(struct ck_listener *listener, struct ck_request *request,
                    struct MHD_Connection *connection) {
  request->waiting = connection;
  request->next = listener->waiting;
  listener->waiting = request;
  MHD_suspend_connection(connection);
}

static void stop_waiting(struct ck_listener *listener, struct ck_request *request) {
  struct ck_request **link = &listener->waiting;
  while (*link != NULL && *link != request) link = &(*link)->next;
  if (*link != NULL) *link = request->next;
  request->waiting = NULL;
}

static enum MHD_Result reply(struct ck_listener *listener, struct ck_request *request,
                             struct MHD_Connection *connection) {
  if (request->due > ck_clock_now()) {
    suspend(listener, request, connection);
    return MHD_YES;
  }
  if (request->drop) return MHD_NO; /* closes the connection */
  return MHD_queue_response(connection, request->status, request->response);
}

/*
** Called once when the headers are there, then for each piece of the body, then once more
** when all is there, and again after the connection was suspended.
*/
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **context) {
  struct ck_listener *listener = cls;
  struct ck_request *request = *context;
  (void)url;
  (void)version;
  if (request == NULL) return MHD_NO; /* there was no memory for it */
  if (request->method == NULL) {
    request->method = method;
    return MHD_YES;
  }
  if (*size > 0) {
    bool kept = ck_request_add_body(request, data, *size);
    *size = 0;
    return kept ? MHD_YES : MHD_NO;
  }
  if (!request->answered) {
    request->connection = number_of(connection);
    if (!ck_request_read_headers(request, connection)) return MHD_NO;
    ck_answer_request(listener->handlers, request);
  }
  return reply(listener, request, connection);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode why) {
  struct ck_request *request = *context;
  (void)connection;
  (void)why;
  if (request != NULL && request->waiting != NULL) stop_waiting(cls, request);
  ck_request_free(request);
  *context = NULL;
}

/* ---- the thread ---- */

static void resume(struct ck_listener *listener, struct ck_request *request) {
  struct MHD_Connection *connection = request->waiting;
  stop_waiting(listener, request);
  MHD_resume_connection(connection);
}

/* Resumes what is due; `now` = INFINITY resumes all. */
static void resume_due(struct ck_listener *listener, double now) {
  struct ck_request *request = listener->waiting;
  while (request != NULL) {
    struct ck_request *next = request->next;
    if (request->due <= now) resume(listener, request);
    request = next;
  }
}

/* How long the thread may sleep, in milliseconds; -1 = until something happens. */
static int longest_wait(const struct ck_listener *listener) {
  MHD_UNSIGNED_LONG_LONG limit;
  double ms = MHD_get_timeout(listener->daemon, &limit) == MHD_YES ? (double)limit : -1;
  double now = ck_clock_now();
  for (const struct ck_request *r = listener->waiting; r != NULL; r = r->next) {
    double left = r->due > now ? (r->due - now) * 1000 + 1 : 0; /* + 1: never too early */
    if (ms < 0 || left < ms) ms = left;
  }
  return ms > 60000 ? 60000 : (int)ms;
}

/* The one descriptor that tells that libmicrohttpd has work; -1 where it has none (no epoll). */
static int work_descriptor(struct MHD_Daemon *daemon) {
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
  return info == NULL ? -1 : info->epoll_fd;
}

/* Waits for work, and does it. False: the byte has come that ends the thread. */
static bool turn(struct ck_listener *listener, int work) {
  struct pollfd fds[2] = { { listener->wake[0], POLLIN, 0 }, { work, POLLIN, 0 } };
  int ms = longest_wait(listener);
  if (work < 0 && (ms < 0 || ms > STEP_MS)) ms = STEP_MS;
  if (poll(fds, work < 0 ? 1 : 2, ms) < 0 && errno != EINTR) return false;
  if (fds[0].revents != 0) return false;
  resume_due(listener, ck_clock_now());
  return MHD_run(listener->daemon) == MHD_YES;
}

static void *serve(void *arg) {
  struct ck_listener *listener = arg;
  int work = work_descriptor(listener->daemon);
  while (turn(listener, work))
    ;
  resume_due(listener, HUGE_VAL); /* MHD_stop_daemon aborts where a connection is suspended */
  return NULL;
}

/* Signals are for the threads of the host: this one takes none. */
static int start_thread(struct ck_listener *listener) {
  sigset_t all, before;
  sigfillset(&all);
  int failed = pthread_sigmask(SIG_SETMASK, &all, &before);
  if (failed) return failed;
  failed = pthread_create(&listener->thread, NULL, serve, listener);
  pthread_sigmask(SIG_SETMASK, &before, NULL); /* cannot fail: it is what was in force */
  listener->has_thread = !failed;
  return failed;
}

/* ---- open and close ---- */

static bool open_wake(struct ck_listener *listener) {
  if (pipe(listener->wake) != 0) return false;
  listener->has_wake = true;
  return fcntl(listener->wake[0], F_SETFD, FD_CLOEXEC) == 0 &&
         fcntl(listener->wake[1], F_SETFD, FD_CLOEXEC) == 0;
}

static struct MHD_Daemon *start_daemon(struct ck_listener *listener, unsigned short port) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return MHD_start_daemon(MHD_USE_AUTO | MHD_ALLOW_SUSPEND_RESUME, port, NULL, NULL, on_request,
                          listener, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_URI_LOG_CALLBACK,
                          on_target, listener, MHD_OPTION_NOTIFY_COMPLETED, on_completed, listener,
                          MHD_OPTION_NOTIFY_CONNECTION, on_connection, listener,
                          MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
                          MHD_OPTION_END);
}

static unsigned short port_of(struct MHD_Daemon *daemon) {
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
  return info == NULL ? 0 : info->port;
}

const char *ck_listener_open(struct ck_listener *listener, struct ck_handlers *handlers,
                             unsigned short port) {
  listener->handlers = handlers;
  errno = 0;
  if (!open_wake(listener)) return "cannot make a pipe";
  listener->daemon = start_daemon(listener, port);
  if (listener->daemon == NULL) return "cannot listen";
  listener->port = port_of(listener->daemon);
  if (listener->port == 0) return "cannot find out its port";
  errno = start_thread(listener);
  return errno ? "cannot start a thread" : NULL;
}

static void close_wake(struct ck_listener *listener) {
  if (!listener->has_wake) return;
  close(listener->wake[0]);
  close(listener->wake[1]);
  listener->has_wake = false;
}

static void end_thread(struct ck_listener *listener) {
  if (!listener->has_thread) return;
  while (write(listener->wake[1], "", 1) < 0 && errno == EINTR)
    ;
  pthread_join(listener->thread, NULL); /* cannot fail: it is ours, and joined once */
  listener->has_thread = false;
}

void ck_listener_close(struct ck_listener *listener) {
  end_thread(listener);
  if (listener->daemon != NULL) MHD_stop_daemon(listener->daemon);
  listener->daemon = NULL;
  close_wake(listener);
}

/* The daemon's memory is a copy that nobody will free: to stop it would shut down the sockets
** of the parent. Its listening socket is closed, so that the port is free once the parent's is. */
void ck_listener_abandon(struct ck_listener *listener) {
  const union MHD_DaemonInfo *info =
      listener->daemon ? MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_LISTEN_FD) : NULL;
  if (info != NULL && info->listen_fd >= 0) close(info->listen_fd);
  listener->daemon = NULL;
  listener->has_thread = false;
  close_wake(listener);
}
