--- Rows for the operations around the contract's, in the shape of `cekura.endpoints`: the sandbox
--- serves them also where the contract has no row for them yet. Where it has one, that one counts
--- (routes.lua).

local function path(name)
  return { name = name, type = "integer", required = true, place = "path" }
end

local function query(name, kind, required)
  return { name = name, type = kind, required = required or false, place = "query" }
end

local function body(name, kind, more)
  local field = { name = name, type = kind, required = false, place = "body" }
  for key, value in pairs(more or {}) do field[key] = value end
  return field
end

local PAGE, PAGE_SIZE = query("page", "integer"), query("page_size", "integer")
local AGENT, PROJECT = query("agent_id", "integer"), query("project_id", "integer")

local NULLABLE = { nullable = true }
local REQUIRED = { required = true }
local REQUIRED_NULLABLE = { required = true, nullable = true }

return {
  {
    method = "GET", path = "/test_framework/v1/results/{result_id}/",
    fields = { path "result_id" },
  },
  {
    method = "GET", path = "/test_framework/v1/results/",
    fields = {
      PAGE, PAGE_SIZE, AGENT, PROJECT, query("search", "string"), query("scenarios", "string"),
    },
  },
  { method = "GET", path = "/test_framework/v1/runs/{run_id}/", fields = { path "run_id" } },
  {
    method = "GET", path = "/test_framework/v1/runs/bulk/",
    fields = { query("run_ids", "string", true) },
  },
  {
    method = "GET", path = "/observability/v1/call-logs/{call_log_id}/",
    fields = { path "call_log_id" },
  },
  {
    method = "GET", path = "/observability/v1/call-logs/",
    fields = {
      PAGE, PAGE_SIZE, AGENT, PROJECT, query("timestamp_from", "string"),
      query("timestamp_to", "string"), query("call_ids", "string"), query("assistant_id", "string"),
    },
  },
  {
    method = "POST", path = "/observability/v1/call-logs/{call_log_id}/mark_metric_vote/",
    fields = {
      path "call_log_id", body("metric_id", "integer", REQUIRED),
      body("thumbs_up", "boolean", REQUIRED_NULLABLE),
      body("expected_value", "any", REQUIRED_NULLABLE), body("feedback", "string", NULLABLE),
    },
  },
  {
    method = "GET", path = "/test_framework/metric-reviews/process_feedbacks_progress/",
    fields = { query("progress_id", "string", true), AGENT, PROJECT },
  },
  -- a number or a slug
  {
    method = "GET", path = "/test_framework/v1/metrics/{metric_id}/",
    fields = { { name = "metric_id", type = "string", required = true, place = "path" } },
  },
  {
    method = "PATCH", path = "/test_framework/v1/metrics/{metric_id}/",
    fields = {
      path "metric_id", body("name", "string"), body("description", "string"),
      body("audio_enabled", "boolean"), body("prompt", "string"),
      body("assistant_id", "string"),
      body("type", "string", { enum = { "basic", "custom_prompt", "custom_code", "llm_judge" } }),
      body("eval_type", "string",
        { enum = { "binary", "continuous_qualitative", "numeric", "enum" } }),
      body("enum_values", "array", { items = "string" }), body("display_order", "integer"),
      body("configuration", "object"), body("add_to_new_agents", "boolean", NULLABLE),
      body("simulation_enabled", "boolean"), body("observability_enabled", "boolean"),
      body("sampling_enabled", "boolean"),
      body("evaluation_trigger", "string", { enum = { "always", "automatic", "custom" } }),
      body("evaluation_trigger_prompt", "string"),
      body("trigger_type", "string", { enum = { "llm_judge", "custom_code" } }),
      body("evaluation_trigger_custom_code", "string"), body("custom_code", "string"),
    },
  },
  {
    method = "GET", path = "/test_framework/billing/info/",
    fields = { query("organization_id", "integer") },
  },
}
