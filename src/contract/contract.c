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
    .doc = "the metric's type" },
  { .name = "test_set_ids", .type = CK_TYPE_ID_LIST, .place = CK_PLACE_BODY,
    .doc = "the test sets whose feedback is used; by default all in the metric's Lab" },
  { .name = "simplified_prompt", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY,
    .doc = "the prompt to start from, in place of the metric's description" },
  { .name = "skip_evaluation", .type = CK_TYPE_BOOLEAN, .place = CK_PLACE_BODY,
    .doc = "true: do not evaluate the test sets afterwards; faster, but without scores" },
};

/* ---- the companions of those five endpoints ------------------------------------------------ */

/*
** The document gives no minimum. Pages are counted from 1, and the server replaces a size of 0 by
** its default without an error. The document describes `ql` at fields of RunList, and does not name
** it or `include_count` among the parameters; the lists accept both.
*/
#define PAGE_FIELDS \
  { .name = "page", .type = CK_TYPE_INTEGER, .place = CK_PLACE_QUERY, .minimum = 1, \
    .doc = "the number of the page, from 1" }, \
  { .name = "page_size", .type = CK_TYPE_INTEGER, .place = CK_PLACE_QUERY, .minimum = 1, \
    .doc = "the number of items per page" }

#define LIST_FIELDS \
  PAGE_FIELDS, \
  { .name = "include_count", .type = CK_TYPE_BOOLEAN, .place = CK_PLACE_QUERY, \
    .doc = "false: the page has no `count`" }, \
  { .name = "ql", .type = CK_TYPE_SELECTION, .place = CK_PLACE_QUERY, \
    .doc = "the fields of each item, such as {id,status} or {id,metadata{ended_reason}}" }

static const char *const statuses[] = {
  "running", "completed", "failed", "pending", "in_progress", "evaluating", "in_queue", "timeout",
  "cancelled", "scaling_up", NULL
};

static const struct ck_field result_fields[] = {
  { .name = "result_id", .type = CK_TYPE_ID, .place = CK_PLACE_PATH, .required = true,
    .doc = "the result" },
};

/* The document has `scenarios` as a string, "24270,24271". An empty string would not filter. */
static const struct ck_field result_list_fields[] = {
  { .name = "agent_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "only results of this agent" },
  { .name = "project_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "only results of this project" },
  { .name = "assistant_id", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "only results of this assistant, by the provider's id" },
  { .name = "search", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY,
    .doc = "only results with this in their name" },
  { .name = "scenarios", .type = CK_TYPE_ID_LIST, .place = CK_PLACE_QUERY, .min_items = 1,
    .doc = "only results of these scenarios; a result with several runs of a scenario may be "
           "listed several times" },
  LIST_FIELDS,
};

static const struct ck_field link_fields[] = {
  { .name = "result_id", .type = CK_TYPE_ID, .place = CK_PLACE_PATH, .required = true,
    .doc = "the result" },
  { .name = "expire_at", .type = CK_TYPE_TIME, .place = CK_PLACE_BODY, .nullable = true,
    .doc = "when the link ends; null or absent: it does not end" },
};

static const struct ck_field run_fields[] = {
  { .name = "run_id", .type = CK_TYPE_ID, .place = CK_PLACE_PATH, .required = true,
    .doc = "the run" },
};

/* The document describes few of these filters. Those without a description follow their names. */
static const struct ck_field run_list_fields[] = {
  { .name = "agent_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "only runs of this agent" },
  { .name = "project_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "only runs of this project" },
  { .name = "result_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "only runs of this result" },
  { .name = "assistant_id", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "only runs of this assistant, by the provider's id" },
  { .name = "id", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "only the run with this id" },
  { .name = "id__in", .type = CK_TYPE_ID_LIST, .place = CK_PLACE_QUERY, .min_items = 1,
    .doc = "only these runs" },
  { .name = "id__contains", .type = CK_TYPE_INTEGER, .place = CK_PLACE_QUERY,
    .doc = "only runs with these digits in their id" },
  { .name = "status", .type = CK_TYPE_ENUM, .place = CK_PLACE_QUERY, .values = statuses,
    .doc = "only runs with this status" },
  { .name = "status__in", .type = CK_TYPE_ENUM_LIST, .place = CK_PLACE_QUERY, .values = statuses,
    .min_items = 1, .doc = "only runs with one of these statuses" },
  { .name = "success", .type = CK_TYPE_BOOLEAN, .place = CK_PLACE_QUERY,
    .doc = "true: only runs that passed their evaluation; false: only others" },
  { .name = "success_rate", .type = CK_TYPE_NUMBER, .place = CK_PLACE_QUERY,
    .doc = "only runs with this success rate" },
  { .name = "search", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY,
    .doc = "only runs with this text" },
  { .name = "timestamp__gte", .type = CK_TYPE_TIME, .place = CK_PLACE_QUERY,
    .doc = "only runs from this time on" },
  { .name = "timestamp__lte", .type = CK_TYPE_TIME, .place = CK_PLACE_QUERY,
    .doc = "only runs up to this time" },
  { .name = "created_at_from", .type = CK_TYPE_TIME, .place = CK_PLACE_QUERY,
    .doc = "only runs created from this time on" },
  { .name = "created_at_to", .type = CK_TYPE_TIME, .place = CK_PLACE_QUERY,
    .doc = "only runs created up to this time" },
  { .name = "created_at_range", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "only runs created in this range" },
  { .name = "duration__gte", .type = CK_TYPE_NUMBER, .place = CK_PLACE_QUERY,
    .doc = "only runs that took at least these seconds" },
  { .name = "duration__lte", .type = CK_TYPE_NUMBER, .place = CK_PLACE_QUERY,
    .doc = "only runs that took at most these seconds" },
  { .name = "duration_range", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "only runs that took a time in this range" },
  { .name = "call_id", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "only the run with this id at the agent's provider" },
  { .name = "call_id__icontains", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "only runs with this in that id, in any case of letters" },
  { .name = "provider_call_id", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "only the run with this call id of the provider" },
  { .name = "provider_call_id__icontains", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY,
    .min_length = 1, .doc = "only runs with this in that id, in any case of letters" },
  { .name = "call_ended_reason", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "only runs that ended for this reason" },
  { .name = "call_ended_reason__icontains", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY,
    .min_length = 1, .doc = "only runs with this in that reason, in any case of letters" },
  { .name = "call_ended_reason__in", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY,
    .min_length = 1, .doc = "only runs that ended for one of these reasons, joined by commas" },
  { .name = "result__id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "only runs of this result" },
  { .name = "result__agent_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "only runs of results of this agent" },
  { .name = "result__agent_id__in", .type = CK_TYPE_ID_LIST, .place = CK_PLACE_QUERY,
    .min_items = 1, .doc = "only runs of results of these agents" },
  { .name = "result__run_as_text", .type = CK_TYPE_BOOLEAN, .place = CK_PLACE_QUERY,
    .doc = "true: only runs in text; false: only runs in voice" },
  { .name = "scenario__id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "only runs of this scenario" },
  { .name = "scenario__id__in", .type = CK_TYPE_ID_LIST, .place = CK_PLACE_QUERY, .min_items = 1,
    .doc = "only runs of these scenarios" },
  { .name = "scenarios", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "only runs of these scenarios, ids joined by commas" },
  { .name = "personality__id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "only runs with this personality" },
  { .name = "personality__id__in", .type = CK_TYPE_ID_LIST, .place = CK_PLACE_QUERY,
    .min_items = 1, .doc = "only runs with these personalities" },
  { .name = "personalities", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "only runs with these personalities, ids joined by commas" },
  { .name = "tags", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "only runs with these tags, joined by commas" },
  { .name = "metrics", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "only runs with these metrics, ids joined by commas" },
  LIST_FIELDS,
};

/* The document has a string: "1,2,3". A key of a user session needs one of the scopes. */
static const struct ck_field run_bulk_fields[] = {
  { .name = "run_ids", .type = CK_TYPE_ID_LIST, .place = CK_PLACE_QUERY, .required = true,
    .min_items = 1, .doc = "the runs" },
  { .name = "agent_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "the scope: the agent of the runs" },
  { .name = "result_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "the scope: the result of the runs" },
  { .name = "project_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "the scope: the project of the runs" },
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
    .doc = "only calls up to this time; at most 33 days after timestamp_from" },
  { .name = "call_ids", .type = CK_TYPE_ID_LIST, .place = CK_PLACE_QUERY, .min_items = 1,
    .doc = "only these call logs, by their own ids" },
  { .name = "assistant_id", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "only calls of this assistant, by the provider's id" },
  { .name = "filters_v2", .type = CK_TYPE_JSON_TEXT, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "a filter in the dashboard's form: { field, op, value }, or { operator = \"and\" or "
           "\"or\", conditions }" },
  LIST_FIELDS,
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

static const struct ck_field cancel_fields[] = {
  { .name = "progress_id", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY, .required = true,
    .min_length = 1, .doc = "the id that process_feedbacks returned" },
};

/* ---- metrics */

static const struct ck_field metric_fields[] = {
  { .name = "metric_id", .type = CK_TYPE_ID, .place = CK_PLACE_PATH, .required = true,
    .doc = "the metric" },
};

static const struct ck_field metric_list_fields[] = {
  { .name = "agent_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "only metrics of this agent" },
  { .name = "project_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "only metrics of this project" },
  { .name = "assistant_id", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "only metrics of this assistant, by the provider's id" },
  { .name = "agents", .type = CK_TYPE_ID_LIST, .place = CK_PLACE_QUERY, .min_items = 1,
    .doc = "only metrics of these agents" },
  { .name = "slug", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "only the metric with this slug" },
  { .name = "filters", .type = CK_TYPE_JSON_TEXT, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "a filter: { field, op, value }, or { operator = \"and\" or \"or\", conditions }" },
  { .name = "include_scores", .type = CK_TYPE_BOOLEAN, .place = CK_PLACE_QUERY,
    .doc = "whether the metrics have overall_score and total_score" },
};

static const char *const eval_types[] = {
  "binary", "continuous_qualitative", "numeric", "enum", NULL
};
static const char *const triggers[] = { "always", "automatic", "custom", NULL };
static const char *const trigger_types[] = { "llm_judge", "custom_code", NULL };
static const char *const providers[] = {
  "openai", "gemini", "dspy-gepa-gemini-flash", "deepseek-v4-flash", NULL
};
static const char *const alert_types[] = { "disabled", "normal", "significant_change", NULL };
static const char *const switches[] = { "enabled", "disabled", NULL };
static const char *const directions[] = { "", "increase", "decrease", NULL };

static const struct ck_field metric_update_fields[] = {
  { .name = "metric_id", .type = CK_TYPE_ID, .place = CK_PLACE_PATH, .required = true,
    .doc = "the metric" },
  { .name = "name", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY, .max_length = 255,
    .doc = "its name" },
  { .name = "slug", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY, .nullable = true,
    .max_length = 255, .doc = "its name in URLs, in snake_case" },
  { .name = "description", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY,
    .doc = "what it evaluates" },
  { .name = "type", .type = CK_TYPE_ENUM, .place = CK_PLACE_BODY, .values = metric_types,
    .doc = "its type" },
  { .name = "prompt", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY,
    .doc = "the prompt that it evaluates with" },
  { .name = "custom_code", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY,
    .doc = "Python for the type custom_code, which sets _result and _explanation" },
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
  { .name = "add_to_rubric", .type = CK_TYPE_BOOLEAN, .place = CK_PLACE_BODY,
    .doc = "whether the project's rubric of call success has it" },
  { .name = "configuration", .type = CK_TYPE_ANY, .place = CK_PLACE_BODY, .nullable = true,
    .doc = "settings of some predefined metrics" },
  { .name = "display_order", .type = CK_TYPE_INT32, .place = CK_PLACE_BODY,
    .doc = "its position in lists of metrics" },
  { .name = "priority_assignment_prompt", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY,
    .doc = "the prompt that assigns a priority to a failure" },
  { .name = "llm_provider", .type = CK_TYPE_ENUM, .place = CK_PLACE_BODY, .values = providers,
    .doc = "the provider of its judge" },
  { .name = "relevance_llm_provider", .type = CK_TYPE_ENUM, .place = CK_PLACE_BODY,
    .values = providers, .doc = "the provider of the judge of its trigger" },
  { .name = "kb_file_ids", .type = CK_TYPE_ANY, .place = CK_PLACE_BODY, .nullable = true,
    .doc = "a list of the ids of its knowledge base files" },
  { .name = "scenarios", .type = CK_TYPE_ANY, .place = CK_PLACE_BODY, .nullable = true,
    .doc = "\"all\", or a list of the ids of its scenarios" },
  { .name = "project", .type = CK_TYPE_ID, .place = CK_PLACE_BODY, .nullable = true,
    .doc = "its project" },
  { .name = "agent", .type = CK_TYPE_ID, .place = CK_PLACE_BODY, .nullable = true,
    .doc = "its agent" },
  { .name = "agents", .type = CK_TYPE_ID_LIST, .place = CK_PLACE_BODY,
    .doc = "the agents that a project's metric is for" },
  { .name = "assistant_id", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY,
    .doc = "its assistant, by the provider's id" },
  { .name = "apply_to_all_agents", .type = CK_TYPE_BOOLEAN, .place = CK_PLACE_BODY,
    .doc = "of observability_dropoff: whether all agents of the project get its dropoff_nodes" },
  { .name = "metric_description_program", .type = CK_TYPE_ANY, .place = CK_PLACE_BODY,
    .nullable = true, .doc = "the advanced configuration of its description" },
  { .name = "metric_description_variables", .type = CK_TYPE_ANY_LIST, .place = CK_PLACE_BODY,
    .doc = "the variables of that configuration" },
  { .name = "evaluation_trigger_program", .type = CK_TYPE_ANY, .place = CK_PLACE_BODY,
    .nullable = true, .doc = "the advanced configuration of its trigger" },
  { .name = "evaluation_trigger_variables", .type = CK_TYPE_ANY_LIST, .place = CK_PLACE_BODY,
    .doc = "the variables of that configuration" },
  { .name = "alert_enabled", .type = CK_TYPE_BOOLEAN, .place = CK_PLACE_BODY,
    .doc = "of a binary metric: whether a failure is an alert" },
  { .name = "alert_type", .type = CK_TYPE_ENUM, .place = CK_PLACE_BODY, .values = alert_types,
    .doc = "which values are alerts" },
  { .name = "alert_filters", .type = CK_TYPE_ANY, .place = CK_PLACE_BODY, .nullable = true,
    .doc = "a filter of calls, as filters_v2 of calls.list: alerts are computed over these" },
  { .name = "significant_change_alert_status", .type = CK_TYPE_ENUM, .place = CK_PLACE_BODY,
    .values = switches, .doc = "whether a significant change is an alert" },
  { .name = "significant_change_alert_direction", .type = CK_TYPE_ENUM, .place = CK_PLACE_BODY,
    .values = directions, .doc = "which changes: an empty text means both" },
  { .name = "window_size", .type = CK_TYPE_INTEGER, .place = CK_PLACE_BODY,
    .doc = "the number of values that a change is compared with" },
  { .name = "std_multiplier", .type = CK_TYPE_NUMBER, .place = CK_PLACE_BODY,
    .doc = "the standard deviations that make a change significant" },
  { .name = "ewma_alpha", .type = CK_TYPE_NUMBER, .place = CK_PLACE_BODY,
    .doc = "the weight of the newest value in the moving average" },
  { .name = "slack_workspace", .type = CK_TYPE_ID, .place = CK_PLACE_BODY, .nullable = true,
    .doc = "the Slack workspace of its alerts" },
  { .name = "slack_channel_id", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY, .nullable = true,
    .max_length = 255, .doc = "the Slack channel of its alerts" },
};

static const struct ck_field run_reviews_fields[] = {
  { .name = "metric_id", .type = CK_TYPE_ID, .place = CK_PLACE_PATH, .required = true,
    .doc = "the metric whose labels are scored" },
  { .name = "description", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY,
    .doc = "a draft that is scored in place of the metric's description" },
  { .name = "type", .type = CK_TYPE_ENUM, .place = CK_PLACE_BODY, .values = metric_types,
    .doc = "the type of the draft" },
  { .name = "prompt", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY,
    .doc = "the prompt of the draft" },
  { .name = "custom_code", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY,
    .doc = "the code of the draft, in Python" },
  { .name = "llm_provider", .type = CK_TYPE_ENUM, .place = CK_PLACE_BODY, .values = providers,
    .doc = "the provider of the judge" },
  { .name = "evaluation_trigger", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY,
    .doc = "the trigger of the draft: always, automatic or custom" },
  { .name = "trigger_type", .type = CK_TYPE_ENUM, .place = CK_PLACE_BODY, .values = trigger_types,
    .doc = "whether its custom trigger is a prompt or code" },
  { .name = "evaluation_trigger_prompt", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY,
    .doc = "the prompt of its custom trigger" },
  { .name = "evaluation_trigger_custom_code", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY,
    .doc = "the code of its custom trigger, in Python" },
  { .name = "metric_description_program", .type = CK_TYPE_ANY, .place = CK_PLACE_BODY,
    .nullable = true, .doc = "the advanced configuration of its description" },
  { .name = "metric_description_variables", .type = CK_TYPE_ANY, .place = CK_PLACE_BODY,
    .nullable = true, .doc = "the variables of that configuration" },
  { .name = "evaluation_trigger_program", .type = CK_TYPE_ANY, .place = CK_PLACE_BODY,
    .nullable = true, .doc = "the advanced configuration of its trigger" },
  { .name = "evaluation_trigger_variables", .type = CK_TYPE_ANY, .place = CK_PLACE_BODY,
    .nullable = true, .doc = "the variables of that configuration" },
  { .name = "skip_save", .type = CK_TYPE_BOOLEAN, .place = CK_PLACE_BODY,
    .doc = "true: the scores are returned, and not saved" },
};

/* The document allows an empty progress_id, which never names a job. */
static const struct ck_field run_reviews_progress_fields[] = {
  { .name = "progress_id", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .required = true,
    .min_length = 1, .doc = "the id that run_reviews returned" },
  { .name = "agent_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "the metric's agent, for a key that is limited to the agent" },
  { .name = "project_id", .type = CK_TYPE_ID, .place = CK_PLACE_QUERY,
    .doc = "the metric's project, for a key that is limited to the project" },
  { .name = "assistant_id", .type = CK_TYPE_STRING, .place = CK_PLACE_QUERY, .min_length = 1,
    .doc = "the metric's assistant, by the provider's id" },
};

static const struct ck_field history_fields[] = {
  { .name = "metric_id", .type = CK_TYPE_ID, .place = CK_PLACE_PATH, .required = true,
    .doc = "the metric" },
  PAGE_FIELDS,
};

static const struct ck_field restore_fields[] = {
  { .name = "metric_id", .type = CK_TYPE_ID, .place = CK_PLACE_PATH, .required = true,
    .doc = "the metric" },
  { .name = "history_id", .type = CK_TYPE_ID, .place = CK_PLACE_BODY, .required = true,
    .doc = "the version, as metrics.history names it" },
};

/* ---- test sets */

/* expected_value is optional in the document. Null is accepted, and means that there is no label. */
static const struct ck_field label_fields[] = {
  { .name = "metric", .type = CK_TYPE_ID, .place = CK_PLACE_BODY, .required = true,
    .doc = "the metric" },
  { .name = "expected_value", .type = CK_TYPE_ANY, .place = CK_PLACE_BODY, .nullable = true,
    .doc = "the value that the metric should have given" },
  { .name = "feedback", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY,
    .doc = "why, in the reviewer's words" },
};

/* The document allows an empty list, which puts the item into no metric's Lab. */
#define TEST_SET_FIELDS(kind) \
  { .name = "metrics", .type = CK_TYPE_OBJECT_LIST, .place = CK_PLACE_BODY, .required = true, \
    .min_items = 1, .fields = label_fields, .field_count = COUNT(label_fields), \
    .doc = "the metrics whose Lab gets the " kind ", each with its label: " \
           "{ metric, expected_value?, feedback? }" }, \
  { .name = "name", .type = CK_TYPE_STRING, .place = CK_PLACE_BODY, \
    .doc = "the name of the test set; by default the id of the " kind }, \
  { .name = "project", .type = CK_TYPE_ID, .place = CK_PLACE_BODY, \
    .doc = "the project of the " kind }

static const struct ck_field set_from_run_fields[] = {
  { .name = "run_id", .type = CK_TYPE_ID, .place = CK_PLACE_BODY, .required = true,
    .doc = "the run, which must be completed" },
  TEST_SET_FIELDS("run"),
};

static const struct ck_field set_from_call_log_fields[] = {
  { .name = "call_log_id", .type = CK_TYPE_ID, .place = CK_PLACE_BODY, .required = true,
    .doc = "the call log" },
  TEST_SET_FIELDS("call log"),
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
  { .name = "metric_reviews.process_feedbacks_cancel", .resource = "metric_reviews",
    .call = "process_feedbacks_cancel",
    .operation = "test-framework-metric-reviews-process-feedbacks-cancel-create",
    .method = "POST", .path = "/test_framework/metric-reviews/process_feedbacks_cancel/",
    .idempotent = true,
    .summary = "Cancels the improvement of a metric, for example to start it again with corrected "
               "labels.",
    .returns = "a table that the document does not describe", FIELDS(cancel_fields) },
  { .name = "test_sets.create_from_run", .resource = "test_sets", .call = "create_from_run",
    .operation = "test-sets-create-from-run",
    .method = "POST", .path = "/test_framework/test-sets/create_from_run/",
    .idempotent = true,
    .summary = "Labels a completed run and puts it into the Lab of each metric, from which "
               "process_feedbacks and run_reviews read.",
    .returns = "the test set, which is created unless the run has one",
    FIELDS(set_from_run_fields) },
  { .name = "test_sets.create_from_call_log", .resource = "test_sets",
    .call = "create_from_call_log", .operation = "test-sets-create-from-call-log",
    .method = "POST", .path = "/test_framework/test-sets/create_from_call_log/",
    .idempotent = true,
    .summary = "Labels a call log and puts it into the Lab of each metric, from which "
               "process_feedbacks and run_reviews read.",
    .returns = "the test set, which is created unless the call log has one",
    FIELDS(set_from_call_log_fields) },
  { .name = "metrics.get", .resource = "metrics", .call = "get",
    .operation = "metrics-retrieve",
    .method = "GET", .path = "/test_framework/v2/metrics/{metric_id}/",
    .idempotent = true, .large_response = true,
    .summary = "Reads a metric, with the labels of its Lab. metrics.list finds one by its slug.",
    .returns = "the metric", FIELDS(metric_fields) },
  { .name = "metrics.list", .resource = "metrics", .call = "list",
    .operation = "metrics-list",
    .method = "GET", .path = "/test_framework/v2/metrics/",
    .idempotent = true, .large_response = true,
    .summary = "Lists all metrics in one response.",
    .returns = "array of metrics", FIELDS(metric_list_fields) },
  { .name = "metrics.update", .resource = "metrics", .call = "update",
    .operation = "metrics-partial-update",
    .method = "PATCH", .path = "/test_framework/v2/metrics/{metric_id}/",
    .idempotent = true, .partial = true,
    .summary = "Changes the given fields of a metric, and no others.",
    .returns = "the changed metric", FIELDS(metric_update_fields) },
  { .name = "metrics.run_reviews", .resource = "metrics", .call = "run_reviews",
    .operation = "metrics-run-reviews-create",
    .method = "POST", .path = "/test_framework/v2/metrics/{metric_id}/run_reviews/",
    .spends_credits = true,
    .summary = "Scores the labels of a metric's Lab with the metric or with a draft of it, in the "
               "background.",
    .returns = "{ progress_id = string }", FIELDS(run_reviews_fields) },
  { .name = "metrics.run_reviews_progress", .resource = "metrics", .call = "run_reviews_progress",
    .operation = "metrics-run-reviews-progress_3",
    .method = "GET", .path = "/test_framework/v2/metrics/run_reviews_progress/",
    .idempotent = true,
    .summary = "Reads the progress of run_reviews.",
    .returns = "the state of the job with its counts, and the scores once the job is done",
    FIELDS(run_reviews_progress_fields) },
  { .name = "metrics.history", .resource = "metrics", .call = "history",
    .operation = "metrics-history-list",
    .method = "GET", .path = "/test_framework/v2/metrics/{metric_id}/history/",
    .idempotent = true, .large_response = true,
    .summary = "Lists the versions of a metric, a page at a time.",
    .returns = "a page: { count?, next, previous, results }", FIELDS(history_fields) },
  { .name = "metrics.restore", .resource = "metrics", .call = "restore",
    .operation = "metrics-restore-create",
    .method = "POST", .path = "/test_framework/v2/metrics/{metric_id}/restore/",
    .idempotent = true,
    .summary = "Restores a version of a metric, which undoes later changes.",
    .returns = "the metric", FIELDS(restore_fields) },
  { .name = "results.get", .resource = "results", .call = "get",
    .operation = "results-retrieve",
    .method = "GET", .path = "/test_framework/v2/results/{result_id}/",
    .idempotent = true, .large_response = true,
    .summary = "Reads a result with its runs.",
    .returns = "the Result; its `runs` are whole runs, keyed by their ids as strings",
    FIELDS(result_fields) },
  { .name = "results.list", .resource = "results", .call = "list",
    .operation = "results-list",
    .method = "GET", .path = "/test_framework/v2/results/",
    .idempotent = true, .large_response = true,
    .summary = "Lists results, a page at a time. There is no filter by status.",
    .returns = "a page: { count?, next, previous, results }; `runs` of a result are summaries",
    FIELDS(result_list_fields) },
  { .name = "results.create_shareable_link_token", .resource = "results",
    .call = "create_shareable_link_token", .operation = "create-shareable-link-token_3",
    .method = "POST", .path = "/test_framework/v2/results/{result_id}/create_shareable_link_token/",
    .summary = "Creates a link with which anybody can read a result; each call creates another.",
    .returns = "{ token = string, shareable_link = string }", FIELDS(link_fields) },
  { .name = "runs.get", .resource = "runs", .call = "get", .operation = "runs-retrieve",
    .method = "GET", .path = "/test_framework/v2/runs/{run_id}/",
    .idempotent = true, .large_response = true,
    .summary = "Reads a run: its transcript and each metric's verdict.",
    .returns = "the run", FIELDS(run_fields) },
  { .name = "runs.list", .resource = "runs", .call = "list", .operation = "runs-list",
    .method = "GET", .path = "/test_framework/v2/runs/",
    .idempotent = true, .large_response = true,
    .summary = "Lists runs, a page at a time.",
    .returns = "a page: { count?, next, previous, results }", FIELDS(run_list_fields) },
  { .name = "runs.bulk", .resource = "runs", .call = "bulk",
    .operation = "runs-bulk-retrieve",
    .method = "GET", .path = "/test_framework/v2/runs/bulk/",
    .idempotent = true, .large_response = true,
    .summary = "Reads several runs with one request.",
    .returns = "array of runs", FIELDS(run_bulk_fields) },
  { .name = "calls.get", .resource = "calls", .call = "get",
    .operation = "observability-v2-call-logs-retrieve",
    .method = "GET", .path = "/observability/v2/call-logs/{call_log_id}/",
    .idempotent = true, .large_response = true,
    .summary = "Reads the log of a production call: its transcript and each metric's verdict.",
    .returns = "the call log", FIELDS(call_log_fields) },
  { .name = "calls.list", .resource = "calls", .call = "list",
    .operation = "observability-v2-call-logs-list",
    .method = "GET", .path = "/observability/v2/call-logs/",
    .idempotent = true, .large_response = true,
    .range_from = "timestamp_from", .range_to = "timestamp_to", .range_days = 33,
    .summary = "Lists logs of production calls of at most 33 days, a page at a time.",
    .returns = "a page: { count?, next, previous, results }", FIELDS(call_list_fields) },
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
  [CK_TYPE_ID_LIST] = { "array", "integer", "id" },
  [CK_TYPE_ID_STRINGS] = { "array", "string", "id" },
  [CK_TYPE_INTEGER] = { "integer", NULL, NULL },
  [CK_TYPE_INT32] = { "integer", NULL, "int32" },
  [CK_TYPE_NUMBER] = { "number", NULL, NULL },
  [CK_TYPE_STRING] = { "string", NULL, NULL },
  [CK_TYPE_STRING_LIST] = { "array", "string", NULL },
  [CK_TYPE_TIME] = { "string", NULL, "date-time" },
  [CK_TYPE_ENUM] = { "string", NULL, NULL },
  [CK_TYPE_ENUM_LIST] = { "array", "string", NULL },
  [CK_TYPE_BOOLEAN] = { "boolean", NULL, NULL },
  [CK_TYPE_SELECTION] = { "string", NULL, "selection" },
  [CK_TYPE_OBJECT_LIST] = { "array", "object", NULL },
  [CK_TYPE_JSON_TEXT] = { "string", NULL, "json" },
  [CK_TYPE_ANY] = { "any", NULL, NULL },
  [CK_TYPE_ANY_LIST] = { "array", "any", NULL },
};

const char *ck_type_name(enum ck_type type) { return types[type].name; }
const char *ck_type_items(enum ck_type type) { return types[type].items; }
const char *ck_type_format(enum ck_type type) { return types[type].format; }
