/* Who may begin an attempt: the pace says how many, the line says who is next. */
#include "clock.h"
#include "slot.h"

/* Each has begun to wait for its turn; the first in line is served first. */
static void let_in(struct ck_transfer_slot *slot) {
  ck_pace_begin(&slot->transport->pace);
  slot->transfer->admitted = true;
}

/* Those whose own time is over before the pause is need not wait for it. */
static void send_away(struct ck_transport *transport) {
  struct ck_link *next, *head = &transport->waiting;
  for (struct ck_link *link = head->next; link != head; link = next) {
    struct ck_transfer_slot *slot = (struct ck_transfer_slot *)link;
    next = link->next;
    if (slot->deadline <= transport->pace.paused_until) ck_slot_wake(slot);
  }
}

void ck_gate_open(struct ck_transport *transport, double now) {
  struct ck_link *first;
  if (transport->pace.paused_until > now) {
    send_away(transport);
    if (ck_list_first(&transport->waiting) != NULL)
      ck_transport_wake_at(transport, transport->pace.paused_until);
    return;
  }
  while ((first = ck_list_first(&transport->waiting)) != NULL &&
         ck_pace_allows(&transport->pace, now)) {
    let_in((struct ck_transfer_slot *)first);
    ck_slot_wake((struct ck_transfer_slot *)first);
  }
}

void ck_gate_leave(struct ck_transfer_slot *slot) {
  struct ck_transport *transport = slot->transport;
  if (!slot->transfer->admitted) return;
  slot->transfer->admitted = false;
  ck_pace_end(&transport->pace);
  if (ck_list_first(&transport->waiting) != NULL) ck_gate_open(transport, ck_clock_now());
}

static bool is_open(const struct ck_transport *transport) {
  if (transport->pace.window == 0) return true; /* nearly always */
  return ck_list_first(&transport->waiting) == NULL &&
         ck_pace_allows(&transport->pace, ck_clock_now());
}

void ck_transfer_queue(struct ck_transfer *transfer, double seconds) {
  struct ck_transfer_slot *slot = transfer->slot;
  struct ck_transport *transport = slot->transport;
  if (is_open(transport)) {
    let_in(slot);
    return;
  }
  ck_transfer_sleep(transfer, seconds);
  ck_list_insert(&transport->waiting, &slot->line);
  ck_gate_open(transport, ck_clock_now());
}

void ck_transport_limit(struct ck_transfer_slot *slot, double seconds) {
  double now = ck_clock_now();
  ck_pace_limit(&slot->transport->pace, now, seconds);
  ck_gate_open(slot->transport, now);
}

void ck_transport_content(struct ck_transfer_slot *slot) {
  ck_pace_content(&slot->transport->pace);
}

double ck_transport_pause_left(const struct ck_transfer_slot *slot) {
  if (slot->transport->pace.paused_until == 0) return 0; /* nearly always */
  return slot->transport->pace.paused_until - ck_clock_now();
}

struct ck_budget *ck_transport_budget(struct ck_transfer_slot *slot) {
  return &slot->transport->budget;
}
