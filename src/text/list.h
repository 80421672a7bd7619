/*
** A doubly linked list of structs that begin with a link. It is a ring through its head, so that
** neither end is a special case.
*/
#ifndef CK_LIST_H
#define CK_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct ck_link {
  struct ck_link *next, *previous;
};

/* Initialises a head, or a link that is in no list. */
static inline void ck_list_init(struct ck_link *link) { link->next = link->previous = link; }

/* Returns NULL if the list is empty. */
static inline struct ck_link *ck_list_first(const struct ck_link *head) {
  return head->next == head ? NULL : head->next;
}

/* Inserts the link before another one. Inserting before the head appends to the list. */
static inline void ck_list_insert(struct ck_link *before, struct ck_link *link) {
  link->next = before;
  link->previous = before->previous;
  before->previous->next = link;
  before->previous = link;
}

/* Removes the link; a no-op if it is in no list. */
static inline void ck_list_remove(struct ck_link *link) {
  link->previous->next = link->next;
  link->next->previous = link->previous;
  ck_list_init(link);
}

#endif
