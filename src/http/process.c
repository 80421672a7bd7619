/* The id of this process, without a system call: a fork is noticed at each step of a client. */
#include "process.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

/*
** The page contains the id, or 0. The kernel clears it in every child that has memory of its own,
** also if a system call has made the child without the C library. NULL if there is not such a page.
*/
static _Atomic(pid_t) *page;

#ifdef MADV_WIPEONFORK

void ck_process_init(void) {
  void *mapped =
      mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return;
  if (madvise(mapped, sizeof(*page), MADV_WIPEONFORK) == 0) page = mapped;
  else (void)munmap(mapped, sizeof(*page));
}

#else

void ck_process_init(void) {}

#endif

pid_t ck_process_id(void) {
  pid_t id = page != NULL ? atomic_load_explicit(page, memory_order_relaxed) : 0;
  if (id != 0) return id;
  id = getpid();
  if (page != NULL) atomic_store_explicit(page, id, memory_order_relaxed);
  return id;
}
