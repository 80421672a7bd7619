/*
** The rows of the contract: one per endpoint, one per field.
*/
#include "contract.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Rows with several members per line are easier to read. */
/* clang-format off */

/* Votes on runs and on call logs have the same fields. */
#define VOTE_FIELDS \
  { .name = "metric_id", .type = CK_TYPE_ID, .place = CK_PLACE_BODY, .required = true, \
    .doc = "the metric whose verdict is voted on" }, \
  { .name = "thumbs_up", .type = CK_TYPE_BOOLEAN, .place = CK_PLACE_BODY, .required = true, \
    .nullable = true, .doc = "true: the metric was right; false: it was wrong" }, \
  { .name = "expected_value", .type = CK_TYPE_ANY, .place = CK_PLACE_BODY, .required = true, \
    .nullable = true, .doc = "the value that the metric should have given" }, \
  { .name = "feedback", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY, .nullable = true, \
    .doc = "why, in the reviewer's words" }

static const struct ck_field vote_fields[] = {
  { .name = "run_id", .type = CK_TYPE_ID, .place = CK_PLACE_PATH, .required = true,
    .doc = "the run whose verdict is voted on" },
  VOTE_FIELDS,
};

/* The document has lists of strings here, and integers for the ids of every other endpoint. */
static const struct ck_field result_evaluation_fields[] = {
  { .name = "result_id", .type = CK_TYPE_ID, .place = CK_PLACE_PATH, .required = true,
    .doc = "the result that the runs belong to" },
  { .name = "run_ids", .type = CK_TYPE_ID_STRINGS, .place = CK_PLACE_BODY, .required = true,
    .counted = true, .min_items = 1, .doc = "the runs to evaluate again" },
  { .name = "metric_ids", .type = CK_TYPE_ID_STRINGS, .place = CK_PLACE_BODY, .required = true,
    .counted = true, .min_items = 1, .doc = "the metrics to evaluate them with" },
};

static const struct ck_field bulk_evaluation_fields[] = {
  { .name = "result_ids", .type = CK_TYPE_ID_LIST, .place = CK_PLACE_BODY, .required = true,
    .counted = true, .min_items = 1, .max_items = 100,
    .doc = "the results whose completed and failed runs are evaluated again" },
  { .name = "metric_ids", .type = CK_TYPE_ID_LIST, .place = CK_PLACE_BODY, .required = true,
    .counted = true, .min_items = 1, .doc = "the metrics to evaluate them with" },
};

/* Only the document's prose says that exactly one of agent_id and project_id is required. */
static const struct ck_field call_evaluation_fields[] = {
  { .name = "agent_id", .type = CK_TYPE_ID, .place = CK_PLACE_BODY, .one_of = true,
    .doc = "the agent whose call logs and metrics these are" },
  { .name = "project_id", .type = CK_TYPE_ID, .place = CK_PLACE_BODY, .one_of = true,
    .doc = "the project whose call logs and metrics these are" },
  { .name = "call_logs", .type = CK_TYPE_ID_LIST, .place = CK_PLACE_BODY, .required = true,
    .counted = true, .doc = "the call logs to evaluate" },
  { .name = "metrics", .type = CK_TYPE_ID_LIST, .place = CK_PLACE_BODY, .required = true,
    .counted = true, .doc = "the metrics to evaluate them with" },
};

static const char *const metric_types[] = {
  "basic", "custom_prompt", "custom_code", "llm_judge", NULL
};

static const struct ck_field process_feedbacks_fields[] = {
  { .name = "metric_id", .type = CK_TYPE_ID, .place = CK_PLACE_BODY, .required = true,
    .doc = "the metric to improve" },
  { .name = "metric_type", .type = CK_TYPE_ENUM, .place = CK_PLACE_BODY, .values = metric_types,
    .doc = "the metric's type; llm_judge replaces basic and custom_prompt, which are deprecated" },
  { .name = "test_set_ids", .type = CK_TYPE_ID_LIST, .place = CK_PLACE_BODY,
    .doc = "the test sets whose feedback is used; by default all of the metric's lab" },
  { .name = "simplified_prompt", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY,
    .doc = "the prompt to start from, in place of the metric's description" },
  { .name = "skip_evaluation", .type = CK_TYPE_BOOLEAN, .place = CK_PLACE_BODY,
    .doc = "true: do not evaluate the test sets afterwards; faster, but without scores" },
};

/* ---- the companions of those five endpoints ------------------------------------------------ */

/*
** The documents give no minimum. Pages are counted from 1, and the server replaces a size of 0 by
** its default without an error.
*/
#define PAGE_FIELDS \
  { .name = "page", .type = CK_TYPE_INTEGER, .place = CK_PLACE_QUERY, .minimum = 1, \
    .doc = "the number of the page, from 1" }, \
  { .name = "page_size", .type = CK_TYPE_INTEGER, .place = CK_PLACE_QUERY, .minimum = 1, \
    .doc = "the number of items per page" }

static const struct ck_field result_fields[] = {
  { .name = "result_id", .type = CK_TYPE_ID, .place = CK_PLACE_PATH, .required = true,
    .doc = "the result" },
};

/* The document has `scenarios` as a string, "24270,24271". An empty string would not filter. */
static const struct ck_field result_list_fields[] = {
  { .name = "agent_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY, .doc = "only results of this agent" },
  { .name = "project_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "only results of this project" },
  { .name = "search", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY,
    .doc = "only results with this in their name" },
  { .name = "scenarios", .type = CK_TYPE_ID_LIST, .place = CK_PLACE_QUERY, .min_items = 1,
    .doc = "only results of these scenarios" },
  PAGE_FIELDS,
};

static const struct ck_field run_fields[] = {
  { .name = "run_id", .type = CK_TYPE_ID, .place = CK_PLACE_PATH, .required = true, .doc = "the run" },
};

/* The document has a string: "1,2,3". */
static const struct ck_field run_bulk_fields[] = {
  { .name = "run_ids", .type = CK_TYPE_ID_LIST, .place = CK_PLACE_QUERY, .required = true,
    .min_items = 1, .doc = "the runs" },
};

static const struct ck_field call_log_fields[] = {
  { .name = "call_log_id", .type = CK_TYPE_ID, .place = CK_PLACE_PATH, .required = true,
    .doc = "the call log; not its call_id, which is the provider's" },
};

/* The document recommends one of agent_id and project_id, and requires neither. */
static const struct ck_field call_list_fields[] = {
  { .name = "agent_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "only calls of this agent; give this or project_id" },
  { .name = "project_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "only calls of this project; an organization's key needs it" },
  { .name = "timestamp_from", .type = CK_TYPE_TIME, .place = CK_PLACE_QUERY,
    .doc = "only calls from this time on; without a range, the calls of the last 30 days" },
  { .name = "timestamp_to", .type = CK_TYPE_TIME, .place = CK_PLACE_QUERY,
    .doc = "only calls up to this time" },
  { .name = "call_ids", .type = CK_TYPE_ID_LIST, .place = CK_PLACE_QUERY, .min_items = 1,
    .doc = "only these call logs, by their own ids" },
  { .name = "assistant_id", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "only calls of this assistant, by the provider's id" },
  { .name = "filters_v2", .type = CK_TYPE_JSON_TEXT, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "a filter in the dashboard's form: { field, op, value }, or { operator = \"and\" or "
           "\"or\", conditions }" },
  PAGE_FIELDS,
};

static const struct ck_field call_vote_fields[] = {
  { .name = "call_log_id", .type = CK_TYPE_ID, .place = CK_PLACE_PATH, .required = true,
    .doc = "the call log whose verdict is voted on" },
  VOTE_FIELDS,
};

/* The document allows an empty progress_id, which never names a job. */
static const struct ck_field progress_fields[] = {
  { .name = "progress_id", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .required = true,
    .min_length = 1, .doc = "the id that process_feedbacks returned" },
  { .name = "agent_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "the metric's agent, for a key that is limited to the agent" },
  { .name = "project_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "the metric's project, for a key that is limited to the project" },
};

static const struct ck_field metric_fields[] = {
  { .name = "metric_id", .type = CK_TYPE_ID_OR_SLUG, .place = CK_PLACE_PATH, .required = true,
    .doc = "the metric, by its id or its slug" },
};

static const char *const eval_types[] = {
  "binary", "continuous_qualitative", "numeric", "enum", NULL
};
static const char *const triggers[] = { "always", "automatic", "custom", NULL };
static const char *const trigger_types[] = { "llm_judge", "custom_code", NULL };

/* The document marks only `id` as read-only. */
static const struct ck_field metric_update_fields[] = {
  { .name = "metric_id", .type = CK_TYPE_ID, .place = CK_PLACE_PATH, .required = true,
    .doc = "the metric; here its id, not its slug" },
  { .name = "name", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY, .doc = "its name" },
  { .name = "description", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY, .doc = "what it evaluates" },
  { .name = "type", .type = CK_TYPE_ENUM, .place = CK_PLACE_BODY, .values = metric_types,
    .doc = "its type; llm_judge replaces basic and custom_prompt, which are deprecated" },
  { .name = "prompt", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY,
    .doc = "the prompt that it evaluates with" },
  { .name = "custom_code", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY,
    .doc = "Python for the type custom_code, with a function evaluate(transcript, ...)" },
  { .name = "eval_type", .type = CK_TYPE_ENUM, .place = CK_PLACE_BODY, .values = eval_types,
    .doc = "the type of its values" },
  { .name = "enum_values", .type = CK_TYPE_STRING_LIST, .place = CK_PLACE_BODY,
    .doc = "the values of an enum metric" },
  { .name = "evaluation_trigger", .type = CK_TYPE_ENUM, .place = CK_PLACE_BODY, .values = triggers,
    .doc = "when it runs: on every call, as the platform decides, or by its own trigger (custom)" },
  { .name = "trigger_type", .type = CK_TYPE_ENUM, .place = CK_PLACE_BODY, .values = trigger_types,
    .doc = "whether a custom trigger is a prompt or code" },
  { .name = "evaluation_trigger_prompt", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY,
    .doc = "the prompt of a custom trigger" },
  { .name = "evaluation_trigger_custom_code", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY,
    .doc = "the code of a custom trigger, in Python" },
  { .name = "audio_enabled", .type = CK_TYPE_BOOLEAN, .place = CK_PLACE_BODY,
    .doc = "whether the judge listens to the recording" },
  { .name = "simulation_enabled", .type = CK_TYPE_BOOLEAN, .place = CK_PLACE_BODY,
    .doc = "whether it runs on simulations" },
  { .name = "observability_enabled", .type = CK_TYPE_BOOLEAN, .place = CK_PLACE_BODY,
    .doc = "whether it runs on production calls" },
  { .name = "sampling_enabled", .type = CK_TYPE_BOOLEAN, .place = CK_PLACE_BODY,
    .doc = "whether it runs on a sample only, at the project's rate" },
  { .name = "add_to_new_agents", .type = CK_TYPE_BOOLEAN, .place = CK_PLACE_BODY, .nullable = true,
    .doc = "whether new agents of the project get it" },
  { .name = "configuration", .type = CK_TYPE_OBJECT, .place = CK_PLACE_BODY,
    .doc = "settings of some predefined metrics; some are objects by agent id" },
  { .name = "display_order", .type = CK_TYPE_INTEGER, .place = CK_PLACE_BODY,
    .doc = "its position in lists of metrics" },
  { .name = "assistant_id", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY,
    .doc = "the assistant's id outside the platform" },
  { .name = "project", .type = CK_TYPE_ID, .place = CK_PLACE_BODY,
    .doc = "its project; read-only once set" },
  { .name = "agents", .type = CK_TYPE_ID_LIST, .place = CK_PLACE_BODY,
    .doc = "the agents that a project's metric is for" },
};

static const struct ck_field billing_fields[] = {
  { .name = "organization_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "the organization; not needed with an organization's key" },
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
    .spends_credits = true, .large_response = true,
    .summary = "Evaluates metrics again on runs of one result, in the background.",
    .returns = "the Result, with the status \"running\"", FIELDS(result_evaluation_fields) },
  { .name = "results.bulk_evaluate_metrics", .resource = "results",
    .call = "bulk_evaluate_metrics", .operation = "bulk-evaluate-result-metrics_2",
    .method = "POST", .path = "/test_framework/v1/results/bulk_evaluate_metrics/",
    .spends_credits = true, .at_least = true,
    .summary = "Evaluates metrics again on every finished run of up to 100 results, in the "
               "background.",
    .returns = "true (the response has no body)", FIELDS(bulk_evaluation_fields) },
  { .name = "calls.evaluate_metrics", .resource = "calls", .call = "evaluate_metrics",
    .operation = "call-logs-evaluate-metrics-create",
    .method = "POST", .path = "/observability/v1/call-logs/evaluate_metrics/",
    .spends_credits = true, .large_response = true,
    .summary = "Evaluates metrics on production call logs, in the background.",
    .returns = "array of call logs, as they were before the evaluation",
    FIELDS(call_evaluation_fields) },
  { .name = "metric_reviews.process_feedbacks", .resource = "metric_reviews",
    .call = "process_feedbacks", .operation = "metric-reviews-process-feedbacks",
    .method = "POST", .path = "/test_framework/metric-reviews/process_feedbacks/",
    .spends_credits = true,
    .summary = "Improves a metric from reviewers' feedback, in the background.",
    .returns = "{ progress_id = string }", FIELDS(process_feedbacks_fields) },

  { .name = "metric_reviews.process_feedbacks_progress", .resource = "metric_reviews",
    .call = "process_feedbacks_progress", .operation = "metric-reviews-process-feedbacks-progress",
    .method = "GET", .path = "/test_framework/metric-reviews/process_feedbacks_progress/",
    .idempotent = true,
    .summary = "Reads the progress of a metric's improvement.",
    .returns = "the state of the job, and the improved metric once the job is done",
    FIELDS(progress_fields) },
  { .name = "metrics.get", .resource = "metrics", .call = "get",
    .operation = "metrics-v1-retrieve",
    .method = "GET", .path = "/test_framework/v1/metrics/{metric_id}/",
    .idempotent = true, .large_response = true,
    .summary = "Reads a metric, with the reviewers' feedback.",
    .returns = "the metric", FIELDS(metric_fields) },
  { .name = "metrics.update", .resource = "metrics", .call = "update",
    .operation = "metrics-v1-partial-update",
    .method = "PATCH", .path = "/test_framework/v1/metrics/{metric_id}/",
    .idempotent = true, .partial = true,
    .summary = "Changes the given fields of a metric, and no others.",
    .returns = "the changed metric", FIELDS(metric_update_fields) },
  { .name = "results.get", .resource = "results", .call = "get",
    .operation = "results-v1-retrieve",
    .method = "GET", .path = "/test_framework/v1/results/{result_id}/",
    .idempotent = true, .large_response = true,
    .summary = "Reads a result with its runs.",
    .returns = "the Result; its `runs` are whole runs, keyed by their ids as strings",
    FIELDS(result_fields) },
  { .name = "results.list", .resource = "results", .call = "list",
    .operation = "results-v1-list",
    .method = "GET", .path = "/test_framework/v1/results/",
    .idempotent = true, .large_response = true,
    .summary = "Lists results, a page at a time. There is no filter by status.",
    .returns = "a page: { count, next, previous, results }; `runs` of a result are summaries",
    FIELDS(result_list_fields) },
  { .name = "runs.get", .resource = "runs", .call = "get", .operation = "runs-v1-retrieve",
    .method = "GET", .path = "/test_framework/v1/runs/{run_id}/",
    .idempotent = true, .large_response = true,
    .summary = "Reads a run: its transcript and each metric's verdict.",
    .returns = "the run", FIELDS(run_fields) },
  { .name = "runs.bulk", .resource = "runs", .call = "bulk",
    .operation = "runs-v1-bulk-retrieve",
    .method = "GET", .path = "/test_framework/v1/runs/bulk/",
    .idempotent = true, .large_response = true,
    .summary = "Reads several runs with one request.",
    .returns = "array of runs", FIELDS(run_bulk_fields) },
  { .name = "calls.get", .resource = "calls", .call = "get",
    .operation = "call-logs-retrieve",
    .method = "GET", .path = "/observability/v1/call-logs/{call_log_id}/",
    .idempotent = true, .large_response = true,
    .summary = "Reads the log of a production call: its transcript and each metric's verdict.",
    .returns = "the call log", FIELDS(call_log_fields) },
  { .name = "calls.list", .resource = "calls", .call = "list",
    .operation = "call-logs-list",
    .method = "GET", .path = "/observability/v1/call-logs/",
    .idempotent = true, .large_response = true,
    .summary = "Lists logs of production calls, a page at a time.",
    .returns = "a page: { count, next, previous, results }", FIELDS(call_list_fields) },
  { .name = "calls.mark_metric_vote", .resource = "calls", .call = "mark_metric_vote",
    .operation = "call-logs-mark-metric-vote-create",
    .method = "POST", .path = "/observability/v1/call-logs/{call_log_id}/mark_metric_vote/",
    .idempotent = true,
    .summary = "Votes on a metric's verdict for a production call, and marks the call as reviewed.",
    .returns = "{ detail = string }", FIELDS(call_vote_fields) },
  { .name = "billing.info", .resource = "billing", .call = "info",
    .operation = "billing-info-retrieve",
    .method = "GET", .path = "/test_framework/billing/info/",
    .idempotent = true,
    .summary = "Reads the balance; usage is up to 30 minutes late.",
    .returns = "the balance and the subscription", FIELDS(billing_fields) },
};

/* clang-format on */

bool ck_endpoint_reads(const struct ck_endpoint *endpoint) {
  bool is_get = endpoint->method != NULL && strcmp(endpoint->method, "GET") == 0;
  return is_get && endpoint->idempotent;
}

const size_t ck_endpoint_count = COUNT(ck_endpoints);

static const struct {
  const char *name, *items, *format;
} types[] = {
  [CK_TYPE_ID] = { "integer", NULL, "id" },
  [CK_TYPE_ID_OR_SLUG] = { "string", NULL, "slug" },
  [CK_TYPE_ID_LIST] = { "array", "integer", "id" },
  [CK_TYPE_ID_STRINGS] = { "array", "string", "id" },
  [CK_TYPE_INTEGER] = { "integer", NULL, NULL },
  [CK_TYPE_STRING] = { "string", NULL, NULL },
  [CK_TYPE_STRING_LIST] = { "array", "string", NULL },
  [CK_TYPE_TIME] = { "string", NULL, "date-time" },
  [CK_TYPE_ENUM] = { "string", NULL, NULL },
  [CK_TYPE_BOOLEAN] = { "boolean", NULL, NULL },
  [CK_TYPE_OBJECT] = { "object", NULL, NULL },
  [CK_TYPE_JSON_TEXT] = { "string", NULL, "json" },
  [CK_TYPE_ANY] = { "any", NULL, NULL },
};

const char *ck_type_name(enum ck_type type) { return types[type].name; }
const char *ck_type_items(enum ck_type type) { return types[type].items; }
const char *ck_type_format(enum ck_type type) { return types[type].format; }
