/* Who may begin an attempt: the pace says how many, the line says who is next. */
#include <math.h>

#include "clock.h"
#include "slot.h"

static void let_in(struct ck_transfer_slot *slot) {
  slot->turn = ck_limiter_begin(&slot->transport->limiter);
  slot->transfer->admitted = true;
}

static struct ck_transfer_slot *first_in_line(const struct ck_transport *transport) {
  return (struct ck_transfer_slot *)ck_list_first(&transport->waiting);
}

static bool is_blocking(const struct ck_transfer_slot *slot) {
  return slot->transfer->observer == NULL;
}

/*
** Of several calls that block, each was made by an event of the one before, which cannot go on
** before it has ended: only the newest may have a turn. 0: none blocks.
*/
static unsigned long newest_blocking(const struct ck_transport *transport) {
  const struct ck_link *head = &transport->waiting;
  unsigned long newest = 0;
  for (const struct ck_link *link = head->next; link != head; link = link->next) {
    const struct ck_transfer_slot *slot = (const struct ck_transfer_slot *)link;
    if (is_blocking(slot) && slot->number > newest) newest = slot->number;
  }
  return newest;
}

/*
** The line is ordered by tries. Who was refused goes first, and yet leaves it to those who can
** better afford it to find out whether the pause is over. NULL: nobody can make use of a turn.
*/
static struct ck_transfer_slot *next_in_line(const struct ck_transport *transport) {
  const struct ck_link *head = &transport->waiting;
  unsigned long newest = newest_blocking(transport);
  struct ck_transfer_slot *next = NULL;
  for (struct ck_link *link = head->next; link != head; link = link->next) {
    struct ck_transfer_slot *slot = (struct ck_transfer_slot *)link;
    if (is_blocking(slot) && slot->number != newest) continue;
    if (next == NULL || slot->tries < next->tries) next = slot;
    if (!ck_limiter_is_trial(&transport->limiter)) break;
  }
  return next;
}

/* Those whose own time is over before the pause is need not wait for it. */
static void send_away(struct ck_transport *transport) {
  struct ck_link *next, *head = &transport->waiting;
  for (struct ck_link *link = head->next; link != head; link = next) {
    struct ck_transfer_slot *slot = (struct ck_transfer_slot *)link;
    next = link->next;
    if (slot->deadline <= transport->limiter.paused_until) ck_slot_wake(slot);
  }
}

double ck_gate_time_left(const struct ck_transport *transport, double now) {
  const struct ck_limiter *limiter = &transport->limiter;
  if (first_in_line(transport) == NULL) return HUGE_VAL; /* nearly always */
  if (limiter->paused_until > now) return limiter->paused_until - now;
  return ck_limiter_allows(limiter, now) && next_in_line(transport) != NULL ? 0 : HUGE_VAL;
}

bool ck_gate_open(struct ck_transport *transport) {
  struct ck_transfer_slot *next;
  bool opened = false;
  if (first_in_line(transport) == NULL) return false; /* nearly always */
  double now = ck_clock_now();
  while (ck_limiter_allows(&transport->limiter, now) && (next = next_in_line(transport)) != NULL) {
    let_in(next);
    ck_slot_wake(next);
    opened = true;
  }
  return opened;
}

void ck_gate_leave(struct ck_transfer_slot *slot) {
  if (slot->transfer->admitted) ck_limiter_end(&slot->transport->limiter);
  slot->transfer->admitted = false;
}

void ck_transfer_pass(struct ck_transfer *transfer) { ck_gate_leave(transfer->slot); }

static bool is_open(const struct ck_transport *transport) {
  if (transport->limiter.window == 0) return true; /* nearly always */
  return first_in_line(transport) == NULL && ck_limiter_allows(&transport->limiter, ck_clock_now());
}

/* Behind all that have been tried as often. */
static void stand_in_line(struct ck_transfer_slot *slot) {
  struct ck_link *head = &slot->transport->waiting, *before = head;
  while (before->previous != head &&
         ((struct ck_transfer_slot *)before->previous)->tries < slot->tries)
    before = before->previous;
  ck_list_insert(before, &slot->line);
}

void ck_transfer_queue(struct ck_transfer *transfer, double seconds, int tries) {
  struct ck_transfer_slot *slot = transfer->slot;
  if (is_open(slot->transport)) {
    let_in(slot);
    return;
  }
  ck_transfer_sleep(transfer, seconds);
  slot->tries = tries;
  slot->number = ++slot->transport->queued;
  stand_in_line(slot);
  send_away(slot->transport);
}

void ck_transport_note_rate_limited(struct ck_transfer_slot *slot, double seconds) {
  ck_limiter_note_rate_limited(&slot->transport->limiter, slot->turn, ck_clock_now(), seconds);
  send_away(slot->transport);
}

void ck_transport_note_success(struct ck_transfer_slot *slot) {
  ck_limiter_note_success(&slot->transport->limiter, slot->turn);
}

double ck_transport_pause_left(const struct ck_transport *transport) {
  if (transport->limiter.paused_until == 0) return 0; /* nearly always */
  double left = transport->limiter.paused_until - ck_clock_now();
  return left > 0 ? left : 0;
}

double ck_transfer_pause_left(const struct ck_transfer *transfer) {
  return ck_transport_pause_left(transfer->slot->transport);
}

struct ck_retry_quota *ck_transport_retry_quota(struct ck_transfer_slot *slot) {
  return &slot->transport->quota;
}
