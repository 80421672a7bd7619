/* Counts the evaluations that calls start: reserves them before an attempt, and settles them after. */
#include "spending.h"

#include <stddef.h>

bool ck_charge_fits(const struct ck_charge *charge) {
  const struct ck_spending *spending = charge->spending;
  if (spending == NULL || charge->is_reserved) return true;
  long long counted = spending->spent.evaluations + spending->spent.evaluations_unknown;
  return charge->evaluations <= spending->limit - counted - spending->in_flight;
}

bool ck_charge_reserve(struct ck_charge *charge) {
  if (!ck_charge_fits(charge)) return false;
  if (charge->spending == NULL || charge->is_reserved) return true;
  charge->spending->in_flight += charge->evaluations;
  charge->is_reserved = true;
  return true;
}

void ck_charge_settle(struct ck_charge *charge, enum ck_applied applied) {
  if (!charge->is_reserved) return;
  charge->is_reserved = false;
  charge->spending->in_flight -= charge->evaluations;
  if (applied == CK_APPLIED_NO) return;
  struct ck_spent attempt = { .uncounted = charge->is_uncounted };
  bool is_known = applied == CK_APPLIED_YES;
  *(is_known ? &attempt.evaluations : &attempt.evaluations_unknown) = charge->evaluations;
  *(is_known ? &attempt.calls : &attempt.calls_unknown) = 1;
  ck_spent_add(&charge->spending->spent, &attempt);
  ck_spent_add(&charge->spent, &attempt);
}

static void add(long long *sum, long long number) {
  *sum = number > LLONG_MAX - *sum ? LLONG_MAX : *sum + number;
}

void ck_spent_add(struct ck_spent *sum, const struct ck_spent *spent) {
  add(&sum->evaluations, spent->evaluations);
  add(&sum->evaluations_unknown, spent->evaluations_unknown);
  add(&sum->calls, spent->calls);
  add(&sum->calls_unknown, spent->calls_unknown);
  add(&sum->uncounted, spent->uncounted);
}
