/*
** A line that structs stand in, first come, first served. Each begins with a link. The line
** is a ring through its head, so that neither end is a special case.
*/
#ifndef CK_LIST_H
#define CK_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct ck_link {
  struct ck_link *next, *previous;
};

/* Both of a head and of a link that stands in no line yet. */
static inline void ck_list_init(struct ck_link *link) { link->next = link->previous = link; }

/* NULL: nobody is there. */
static inline struct ck_link *ck_list_first(const struct ck_link *head) {
  return head->next == head ? NULL : head->next;
}

/* Lets the link stand in front of that one; in front of the head is the end of the line. */
static inline void ck_list_insert(struct ck_link *before, struct ck_link *link) {
  link->next = before;
  link->previous = before->previous;
  before->previous->next = link;
  before->previous = link;
}

/* Does nothing to a link that stands in no line. */
static inline void ck_list_remove(struct ck_link *link) {
  link->previous->next = link->next;
  link->next->previous = link->previous;
  ck_list_init(link);
}

#endif
