/*
** A server that responds to each request after a delay. It prints its port and process id, and
** continues in the background. It responds 429 at once if LIMIT others are in flight.
**
**   slow MILLISECONDS [LIMIT]
*/
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 16384, REQUEST = 2048 };

static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                         "Content-Length: 15\r\n\r\n{\"status\":\"ok\"}";
static const char rejected[] = "HTTP/1.1 429 Too Many Requests\r\n"
                               "Content-Type: application/json\r\n"
                               "Content-Length: 23\r\n\r\n{\"detail\":\"Throttled.\"}\n";

/* The request that has been received so far, by descriptor. */
static struct {
  size_t length;
  char bytes[REQUEST];
} requests[CONNECTIONS];

/* The requests that wait, oldest first, in a ring. All have the same delay. */
static struct {
  int fd;
  double due;
} waiting[CONNECTIONS];
static unsigned first, in_flight;

static int poller;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int listen_on_any_port(int *port) {
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  socklen_t size = sizeof(address);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 4096) != 0) exit(1);
  getsockname(fd, (struct sockaddr *)&address, &size);
  *port = ntohs(address.sin_port);
  return fd;
}

/* Reports the connection once when it is readable. A request that waits is not read further. */
static void watch(int fd, int operation) {
  struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT, .data.fd = fd };
  epoll_ctl(poller, operation, fd, &event);
}

static void accept_one(int listener) {
  int fd = accept(listener, NULL, NULL);
  if (fd < 0) return;
  if (fd >= CONNECTIONS) {
    close(fd);
    return;
  }
  requests[fd].length = 0;
  watch(fd, EPOLL_CTL_ADD);
}

static void respond(int fd, const char *response) {
  requests[fd].length = 0;
  if (send(fd, response, strlen(response), MSG_NOSIGNAL) < 0) close(fd);
  else watch(fd, EPOLL_CTL_MOD);
}

static int is_complete(int fd) {
  const char *text = requests[fd].bytes, *end = strstr(text, "\r\n\r\n");
  const char *length = strcasestr(text, "\r\nContent-Length:");
  if (end == NULL || length == NULL) return end != NULL;
  return requests[fd].length >= (size_t)(end + 4 - text) + strtoul(length + 17, NULL, 10);
}

static void receive(int fd, double delay, unsigned limit) {
  size_t length = requests[fd].length;
  ssize_t count = read(fd, requests[fd].bytes + length, REQUEST - 1 - length);
  if (count <= 0) {
    close(fd);
    return;
  }
  requests[fd].length += (size_t)count;
  requests[fd].bytes[requests[fd].length] = '\0';
  if (!is_complete(fd)) watch(fd, EPOLL_CTL_MOD);
  else if (in_flight >= limit) respond(fd, rejected);
  else {
    unsigned last = (first + in_flight++) % CONNECTIONS;
    waiting[last].fd = fd;
    waiting[last].due = now() + delay;
  }
}

/* Responds to all requests that are due. Returns the milliseconds until the next one, or -1. */
static int respond_to_due(void) {
  while (in_flight > 0) {
    double left = waiting[first].due - now();
    if (left > 0) return (int)left + 1;
    int fd = waiting[first].fd;
    first = (first + 1) % CONNECTIONS;
    in_flight--;
    respond(fd, ok);
  }
  return -1;
}

static void serve(int listener, double delay, unsigned limit) {
  struct epoll_event events[256];
  struct epoll_event accepting = { .events = EPOLLIN, .data.fd = listener };
  poller = epoll_create1(0);
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &accepting);
  for (;;) {
    int count = epoll_wait(poller, events, 256, respond_to_due());
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) accept_one(fd);
      else receive(fd, delay, limit);
    }
  }
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  int port, listener = listen_on_any_port(&port);
  unsigned limit = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : CONNECTIONS;
  pid_t child = fork();
  if (child < 0) return 1;
  if (child > 0) {
    printf("%d %d\n", port, (int)child);
    return 0;
  }
  for (int fd = 0; fd <= 2; fd++) close(fd);
  serve(listener, strtod(argv[1], NULL), limit);
}
