#include "contract.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A row reads better in few lines than with a member on each. */
/* clang-format off */

static const struct ck_field vote_fields[] = {
  { .name = "run_id", .type = CK_ID, .place = CK_IN_PATH, .required = true,
    .doc = "the run whose verdict is voted on" },
  { .name = "metric_id", .type = CK_ID, .place = CK_IN_BODY, .required = true,
    .doc = "the metric whose verdict is voted on" },
  { .name = "thumbs_up", .type = CK_BOOLEAN, .place = CK_IN_BODY, .required = true,
    .nullable = true, .doc = "true: the metric was right; false: it was wrong" },
  { .name = "expected_value", .type = CK_ANY, .place = CK_IN_BODY, .required = true,
    .nullable = true, .doc = "the value that the metric should have given" },
  { .name = "feedback", .type = CK_STRING, .place = CK_IN_BODY, .nullable = true,
    .doc = "why, in the reviewer's words" },
};

/* Documented as lists of strings, unlike the ids of every other endpoint. */
static const struct ck_field result_evaluation_fields[] = {
  { .name = "result_id", .type = CK_ID, .place = CK_IN_PATH, .required = true,
    .doc = "the result that the runs belong to" },
  { .name = "run_ids", .type = CK_ID_STRINGS, .place = CK_IN_BODY, .required = true,
    .counted = true, .min_items = 1, .doc = "the runs to evaluate again" },
  { .name = "metric_ids", .type = CK_ID_STRINGS, .place = CK_IN_BODY, .required = true,
    .counted = true, .min_items = 1, .doc = "the metrics to evaluate them with" },
};

static const struct ck_field bulk_evaluation_fields[] = {
  { .name = "result_ids", .type = CK_ID_LIST, .place = CK_IN_BODY, .required = true,
    .counted = true, .min_items = 1, .max_items = 100,
    .doc = "the results whose completed and failed runs are evaluated again" },
  { .name = "metric_ids", .type = CK_ID_LIST, .place = CK_IN_BODY, .required = true,
    .counted = true, .min_items = 1, .doc = "the metrics to evaluate them with" },
};

/* That exactly one of the two ids is wanted stands in the document's prose only. */
static const struct ck_field call_evaluation_fields[] = {
  { .name = "agent_id", .type = CK_ID, .place = CK_IN_BODY, .one_of = true,
    .doc = "the agent whose call logs and metrics these are" },
  { .name = "project_id", .type = CK_ID, .place = CK_IN_BODY, .one_of = true,
    .doc = "the project whose call logs and metrics these are" },
  { .name = "call_logs", .type = CK_ID_LIST, .place = CK_IN_BODY, .required = true,
    .counted = true, .doc = "the call logs to evaluate" },
  { .name = "metrics", .type = CK_ID_LIST, .place = CK_IN_BODY, .required = true,
    .counted = true, .doc = "the metrics to evaluate them with" },
};

static const char *const metric_types[] = {
  "basic", "custom_prompt", "custom_code", "llm_judge", NULL
};

static const struct ck_field process_feedbacks_fields[] = {
  { .name = "metric_id", .type = CK_ID, .place = CK_IN_BODY, .required = true,
    .doc = "the metric to improve" },
  { .name = "metric_type", .type = CK_ENUM, .place = CK_IN_BODY, .values = metric_types,
    .doc = "the metric's type; basic and custom_prompt are deprecated for llm_judge" },
  { .name = "test_set_ids", .type = CK_ID_LIST, .place = CK_IN_BODY,
    .doc = "the test sets whose feedback is used; all in the metric's lab if left out" },
  { .name = "simplified_prompt", .type = CK_STRING, .place = CK_IN_BODY,
    .doc = "the prompt to start from, in place of the metric's description" },
  { .name = "skip_evaluation", .type = CK_BOOLEAN, .place = CK_IN_BODY,
    .doc = "true: do not evaluate the test sets afterwards; faster, but without scores" },
};

#define FIELDS(rows) .fields = (rows), .field_count = COUNT(rows)

const struct ck_endpoint ck_endpoints[] = {
  { .name = "runs.mark_metric_vote", .resource = "runs", .call = "mark_metric_vote",
    .operation = "runs-mark-metric-vote-create",
    .method = "POST", .path = "/test_framework/v1/runs/{run_id}/mark_metric_vote/",
    .idempotent = true,
    .summary = "Votes on a metric's verdict for a run, and marks the run as reviewed.",
    .returns = "{ success = boolean }", FIELDS(vote_fields) },
  { .name = "results.evaluate_metrics", .resource = "results", .call = "evaluate_metrics",
    .operation = "results-evaluate-metrics-create",
    .method = "POST", .path = "/test_framework/v1/results/{result_id}/evaluate_metrics/",
    .spends_credits = true, .large_answer = true,
    .summary = "Evaluates metrics again on runs of one result, in the background.",
    .returns = "the Result, its status now \"running\"", FIELDS(result_evaluation_fields) },
  { .name = "results.bulk_evaluate_metrics", .resource = "results",
    .call = "bulk_evaluate_metrics", .operation = "bulk-evaluate-result-metrics_2",
    .method = "POST", .path = "/test_framework/v1/results/bulk_evaluate_metrics/",
    .spends_credits = true, .at_least = true,
    .summary = "Evaluates metrics again on every finished run of up to 100 results, in the "
               "background.",
    .returns = "true (the answer has no body)", FIELDS(bulk_evaluation_fields) },
  { .name = "calls.evaluate_metrics", .resource = "calls", .call = "evaluate_metrics",
    .operation = "call-logs-evaluate-metrics-create",
    .method = "POST", .path = "/observability/v1/call-logs/evaluate_metrics/",
    .spends_credits = true, .large_answer = true,
    .summary = "Evaluates metrics on production call logs, in the background.",
    .returns = "array of call logs, in the state before the evaluation",
    FIELDS(call_evaluation_fields) },
  { .name = "metric_reviews.process_feedbacks", .resource = "metric_reviews",
    .call = "process_feedbacks", .operation = "metric-reviews-process-feedbacks",
    .method = "POST", .path = "/test_framework/metric-reviews/process_feedbacks/",
    .spends_credits = true,
    .summary = "Lets the platform improve a metric from reviewers' feedback, in the "
               "background.",
    .returns = "{ progress_id = string }", FIELDS(process_feedbacks_fields) },
};

/* clang-format on */

const size_t ck_endpoint_count = COUNT(ck_endpoints);

bool ck_type_is_list(enum ck_type type) { return type == CK_ID_LIST || type == CK_ID_STRINGS; }

const char *ck_type_name(enum ck_type type) {
  static const char *const names[] = {
    [CK_ID] = "integer",    [CK_ID_LIST] = "array", [CK_ID_STRINGS] = "array",
    [CK_STRING] = "string", [CK_ENUM] = "string",   [CK_BOOLEAN] = "boolean",
    [CK_ANY] = "any",
  };
  return names[type];
}

const char *ck_type_items(enum ck_type type) {
  if (!ck_type_is_list(type)) return NULL;
  return type == CK_ID_STRINGS ? "string" : "integer";
}
