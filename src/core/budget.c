#include "budget.h"

/* Enough for the three retries of sixteen calls that meet a short outage together. */
static const double ALLOWANCE = 50;

static const double SHARE = 0.1; /* of a retry, that each call earns */

/* Seconds without a call that fails: what there was before says nothing of the server now. */
static const double QUIET = 60;

static void give(struct ck_budget *budget, double retries) {
  budget->spent = budget->spent > retries ? budget->spent - retries : 0;
}

void ck_budget_earn(struct ck_budget *budget) { give(budget, SHARE); }

bool ck_budget_spend(struct ck_budget *budget, double now) {
  if (now - budget->asked > QUIET) budget->spent = 0;
  budget->asked = now;
  if (budget->spent + 1 > ALLOWANCE) return false;
  budget->spent += 1;
  return true;
}

void ck_budget_refund(struct ck_budget *budget, int retries) { give(budget, retries); }
