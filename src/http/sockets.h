/*
** The sockets of a client: libcurl opens and closes them here. The list of them tells whether an
** idle connection can still be used.
*/
#ifndef CK_SOCKETS_H
#define CK_SOCKETS_H

#include <stdbool.h>

struct ck_socket {
  int socket;
  int local_port; /* 0 = not known yet */
};

struct ck_sockets {
  struct ck_socket *list; /* owned; of those that are open */
  int count, room;
};

/*
** Opens a socket that no other program inherits. Returns -1, and sets errno, on failure. Without
** memory the socket is not listed.
*/
int ck_sockets_open(struct ck_sockets *sockets, int family, int type, int protocol);

/* Closes the socket. Returns what close returns. */
int ck_sockets_close(struct ck_sockets *sockets, int socket);

/*
** Returns whether the connection from this port is stale: it has ended, or it has unread bytes,
** which would be taken for the next response. Returns false if the port is not listed.
*/
bool ck_sockets_is_stale(struct ck_sockets *sockets, int local_port);

/* Frees the list; no socket may be open. */
void ck_sockets_free(struct ck_sockets *sockets);

#endif
