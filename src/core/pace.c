#include "pace.h"

bool ck_pace_allows(const struct ck_pace *pace, double now) {
  if (pace->window == 0) return true; /* nearly always */
  return now >= pace->paused_until && pace->under_way < (int)pace->window;
}

void ck_pace_begin(struct ck_pace *pace) { pace->under_way++; }

void ck_pace_end(struct ck_pace *pace) { pace->under_way--; }

/* The first of a burst counts; the others were under way already, and only prolong the pause. */
void ck_pace_limit(struct ck_pace *pace, double now, double pause) {
  if (pace->window == 0 || now >= pace->paused_until) {
    double most = (pace->under_way + 1) / 2.0;
    pace->threshold = most > 1 ? most : 1;
    pace->window = 1;
  }
  if (now + pause > pace->paused_until) pace->paused_until = now + pause;
}

/* A window that was not filled has not been tried, and does not grow. */
void ck_pace_content(struct ck_pace *pace) {
  if (pace->window == 0 || pace->under_way + 1 < (int)pace->window) return;
  pace->window += pace->window < pace->threshold ? 1 : 1 / pace->window;
}
