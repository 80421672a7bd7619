/* The part of the BSDs' <sys/event.h> that src/http/poller.c uses, for Linux. */
#ifndef CK_SPEC_SYS_EVENT_H
#define CK_SPEC_SYS_EVENT_H

#include <stdint.h>
#include <time.h>

enum { EVFILT_READ = -1, EVFILT_WRITE = -2 };

enum { EV_ADD = 0x0001, EV_DELETE = 0x0002, EV_ERROR = 0x4000, EV_EOF = 0x8000 };

struct kevent {
  uintptr_t ident;
  short filter;
  unsigned short flags;
  unsigned fflags;
  intptr_t data;
  void *udata;
};

#define EV_SET(event, ident_, filter_, flags_, fflags_, data_, udata_)                             \
  (*(event) = (struct kevent){ .ident = (ident_),                                                  \
                               .filter = (filter_),                                                \
                               .flags = (flags_),                                                  \
                               .fflags = (fflags_),                                                \
                               .data = (data_),                                                    \
                               .udata = (udata_) })

int kqueue(void);
int kevent(int queue, const struct kevent *changes, int changed, struct kevent *events, int most,
           const struct timespec *timeout);

#endif
