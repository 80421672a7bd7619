/* The sockets of a client: opens and closes them, and checks those of idle connections. */
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/*
** If the process has no standard streams, a socket may get the number of one. Then it would send
** what other code writes to that stream.
*/
static int move_above_streams(int socket) {
  if (socket < 0 || socket > STDERR_FILENO) return socket;
  int moved = fcntl(socket, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  (void)close(socket);
  return moved;
}

static void add(struct ck_sockets *sockets, int socket) {
  if (sockets->count == sockets->room) {
    int room = sockets->room == 0 ? 8 : 2 * sockets->room;
    struct ck_socket *list = realloc(sockets->list, (size_t)room * sizeof(*list));
    if (list == NULL) return;
    sockets->list = list;
    sockets->room = room;
  }
  sockets->list[sockets->count++] = (struct ck_socket){ .socket = socket };
}

int ck_sockets_open(struct ck_sockets *sockets, int family, int type, int protocol) {
#ifdef SOCK_CLOEXEC
  int opened = socket(family, type | SOCK_CLOEXEC, protocol);
#else
  int opened = socket(family, type, protocol);
  if (opened >= 0) (void)fcntl(opened, F_SETFD, FD_CLOEXEC);
#endif
  opened = move_above_streams(opened);
  if (opened >= 0) add(sockets, opened);
  return opened;
}

int ck_sockets_close(struct ck_sockets *sockets, int socket) {
  int i = sockets->count - 1;
  while (i >= 0 && sockets->list[i].socket != socket) i--;
  if (i >= 0) sockets->list[i] = sockets->list[--sockets->count];
  return close(socket);
}

static int local_port_of(int socket) {
  union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
  } address = { .any = { .sa_family = AF_UNSPEC } };
  socklen_t length = sizeof(address);
  if (getsockname(socket, &address.any, &length) != 0) return 0;
  if (address.any.sa_family == AF_INET) return ntohs(address.in.sin_port);
  return address.any.sa_family == AF_INET6 ? ntohs(address.in6.sin6_port) : 0;
}

/* Returns -1 if the port's socket is not listed. */
static int find(struct ck_sockets *sockets, int local_port) {
  for (int i = 0; i < sockets->count; i++)
    if (sockets->list[i].local_port == local_port) return sockets->list[i].socket;
  for (int i = 0; i < sockets->count; i++) {
    struct ck_socket *each = &sockets->list[i];
    if (each->local_port == 0) each->local_port = local_port_of(each->socket);
    if (each->local_port == local_port) return each->socket;
  }
  return -1;
}

bool ck_sockets_is_stale(struct ck_sockets *sockets, int local_port) {
  int socket = local_port > 0 ? find(sockets, local_port) : -1;
  char byte;
  if (socket < 0) return false;
  return recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
         (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

void ck_sockets_free(struct ck_sockets *sockets) {
  free(sockets->list);
  *sockets = (struct ck_sockets){ 0 };
}
