--- The types that the contract does not have: options, errors, responses, functions. From them and the
--- contract, tools/generate.lua writes lua/cekura/types.lua and docs/reference.md.
---
--- Types are LuaLS's. Text is one line of Markdown unless it stands in [[ ]].

local manual = {}

--- In the order in which they are shown. `call`: also an option of a single call; `call = "only"`:
--- of nothing else. `default` is text.
manual.options = {
  { name = "api_key", type = "string", environment = "CEKURA_API_KEY",
    text = "required; sent as `X-CEKURA-API-KEY`; visible ASCII" },
  { name = "api_url", type = "string", environment = "CEKURA_API_URL",
    default = "`https://api.cekura.ai`",
    text = "a path prefix and a trailing slash are fine; plain `http` only to a loopback host" },
  { name = "allow_http", type = "boolean", default = "`false`",
    text = "permits plain `http` to any host: the key then crosses the network in the clear" },
  { name = "timeout", type = "number", default = "30", call = true,
    text = "seconds for one attempt" },
  { name = "connect_timeout", type = "number", default = "10",
    text = "seconds to a ready connection, TLS included" },
  { name = "deadline", type = "number", default = "120", call = true,
    text = "seconds for the whole call: every attempt and every wait between them" },
  { name = "max_attempts", type = "integer", default = "4", call = true,
    text = "how often a call is tried at most; 1: never again" },
  { name = "backoff", type = "{ base: number?, cap: number? }",
    default = "`{ base = 0.5, cap = 20 }`",
    text = "seconds to wait before another attempt: exponential, with full jitter" },
  { name = "max_response_bytes", type = "integer", default = "67108864 (64 MiB)",
    text = "the largest answer that is read, counted after decompression" },
  { name = "max_evaluations", type = "integer", default = "no limit", call = true,
    text = "refuses a call that starts more metric evaluations than this, or a number that is not "
      .. "known exactly, before it is sent" },
  { name = "keep_null", type = "boolean", default = "`false`",
    text = "keeps a JSON null in an object as `cekura.null`; else such a field is absent" },
  { name = "ca_file", type = "string", environment = "CEKURA_CA_FILE", default = "libcurl's",
    text = "a file of certificate authorities to trust" },
  { name = "ca_path", type = "string", default = "libcurl's",
    text = "a folder of certificate authorities to trust" },
  { name = "proxy", type = "string", default = "`https_proxy` or `all_proxy`, unless `no_proxy` names the host",
    text = "the proxy's URL; an empty string: none, whatever the environment says. User name and "
      .. "password are percent-encoded, and not shown" },
  { name = "headers", type = "table<string, string>", default = "`{}`", call = true,
    text = "headers to add; they cannot replace the client's own" },
  { name = "user_agent", type = "string", default = "`cekura-lua/VERSION …`",
    text = "the `User-Agent` header" },
  { name = "on_event", type = "fun(event: cekura.Event)", default = "none",
    text = "is called at each step of each call; it may close the client, and not use it otherwise" },
  { name = "event_bodies", type = "boolean", default = "`false`",
    text = "adds the bodies of requests and responses to what `on_event` is told" },
  { name = "retry_unknown", type = "boolean", default = "`false`", call = "only",
    text = "sends again also where the server may have acted: you may pay twice" },
  { name = "dry_run", type = "boolean", default = "`false`", call = "only",
    text = "sends nothing, and returns what would be sent" },
  { name = "evaluations", type = "integer", default = "what the arguments prove", call = "only",
    text = "states how many metric evaluations the call starts, to be compared with "
      .. "`max_evaluations`; a number below what the arguments prove does not count" },
  { name = "uncounted", type = "boolean", default = "`false`", call = "only",
    text = "sends the call under `max_evaluations` although its number of metric evaluations is "
      .. "not known" },
}

manual.kinds = {
  { "config", "the options of `cekura.new` are wrong, or the client is closed" },
  { "validation", "the arguments are wrong; nothing was sent" },
  { "budget", "the call would start more evaluations than `max_evaluations`, or a number that is "
    .. "not known; nothing was sent" },
  { "authentication", "401: the key is not accepted" },
  { "permission", "403" },
  { "not_found", "404" },
  { "rate_limited", "429" },
  { "bad_request", "any other 4xx" },
  { "server", "5xx" },
  { "network", "no connection, or it was lost" },
  { "timeout", "`timeout`, `connect_timeout` or `deadline` passed" },
  { "tls", "no secure connection, or the certificate is not valid" },
  { "response", "the answer is unreadable, cut off, too large, or a redirect" },
  { "cancelled", "the call was given up on the caller's word" },
  { "failed", "the job that was waited for has failed: `err.last` is what it said last" },
  { "needs_person", "the job that was waited for asks a person something: see `err.questions`" },
}

manual.applied = {
  { "no", "the server did not act on the call" },
  { "unknown", "it may have: look before you send it again" },
  { "yes", "it did, and only its answer was lost or unreadable" },
}

manual.error = {
  { name = "kind", type = "cekura.Kind", text = "what sort of failure it is" },
  { name = "message", type = "string", text = "what went wrong" },
  { name = "applied", type = "cekura.Applied", text = "whether the server acted on the call" },
  { name = "retryable", type = "boolean",
    text = "whether the same call may be sent again without harm, and may succeed then" },
  { name = "fields?", type = "table<string, string[]>",
    text = "problems by field, or by path (`call_logs[3]`) for `validation` and `config`" },
  { name = "status?", type = "integer", text = "of the answer, where there was one" },
  { name = "detail?", type = "string", text = "what the answer says in one sentence, if it does" },
  { name = "body?", type = "string", text = "the answer's body as it came, but for the key; 64 KiB at most" },
  { name = "retry_after?", type = "number",
    text = "seconds to wait before the next call, where the server named them" },
  { name = "request_id?", type = "string", text = "the answer's `X-Request-Id`, to tell support" },
  { name = "endpoint?", type = "string", text = 'of the call: `"runs.mark_metric_vote"`' },
  { name = "method?", type = "string", text = "of the call" },
  { name = "url?", type = "string", text = "of the call" },
  { name = "attempts?", type = "integer", text = "how often it was sent" },
  { name = "idempotent?", type = "boolean", text = "of the call: sent twice, it counts once" },
  { name = "last?", type = "any", text = "of a wait: what was known last" },
  { name = "cause?", type = "cekura.Error", text = "of a wait that timed out: why its last poll failed" },
  { name = "questions?", type = "any", text = "of `needs_person`: what is asked, if the job says so" },
  { name = "report?", type = "cekura.Report", text = "of `client:each`" },
}

manual.response = {
  { name = "status", type = "integer", text = "200 and the like" },
  { name = "headers", type = "table<string, string>", text = "by name in lower case" },
  { name = "attempts", type = "integer", text = "how often the call was sent" },
  { name = "elapsed", type = "number", text = "seconds, all attempts and waits included" },
}

manual.event = {
  { name = "type", type = '"request"|"response"|"retry"|"give_up"',
    text = "an attempt begins, has ended, will be followed by another; or the call has failed" },
  { name = "endpoint", type = "string", text = '`"runs.mark_metric_vote"`' },
  { name = "method", type = "string", text = '`"POST"`' },
  { name = "url?", type = "string", text = "the whole of it; nil once the client is closed" },
  { name = "body?", type = "string",
    text = "with `event_bodies`: of a `request` what is sent, of a `response` what has arrived" },
  { name = "attempt", type = "integer", text = "which one: 1, 2, …" },
  { name = "elapsed", type = "number", text = "seconds since the call began" },
  { name = "status?", type = "integer", text = "of the answer, where there was one" },
  { name = "kind?", type = "cekura.Kind", text = "of a failure" },
  { name = "applied?", type = "cekura.Applied", text = "of a failure" },
  { name = "wait?", type = "number", text = "of a `retry`: seconds before the next attempt" },
}

manual.dry_run = {
  { name = "method", type = "string", text = '"POST" and the like' },
  { name = "url", type = "string", text = "the whole of it" },
  { name = "headers", type = "table<string, string>", text = "without the key" },
  { name = "body?", type = "string", text = "the JSON, byte by byte; a GET has none" },
  { name = "evaluations?", type = "integer",
    text = "how many metric evaluations it would start; nil if that is not known, or none" },
  { name = "evaluations_at_least?", type = "true", text = "`evaluations` is a lower bound" },
}

--- Of the module. `params` and `returns` are { name, type, text }.
manual.functions = {
  { name = "new", text = "Makes a client. Nothing is sent and no connection is opened.",
    params = { { "options?", "cekura.Options", "" } },
    returns = { { "client", "cekura.Client?", "" }, { "err", "cekura.Error?", "" } } },
  { name = "array",
    text = "Marks a table as a JSON array, so that an empty one is sent as `[]`, not as `{}`.",
    params = { { "list", "table", "" } },
    returns = { { "list", "table", "the same table" } } },
  { name = "chunks",
    text = "Goes through a list in slices: `for slice in cekura.chunks(ids, 100)`.",
    params = { { "list", "any[]", "a list without holes" },
      { "size", "integer", "the most items of a slice, at least 1" } },
    returns = { { "next", "fun(): any[]?", "a new table each time" } } },
}

--- Of `client:each`; the order of lua/cekura/each.lua.
manual.each_options = {
  { name = "concurrency", type = "integer", default = "8", text = "how many items at once" },
  { name = "progress", type = "boolean|fun(numbers: cekura.Progress)", default = "`false`",
    text = "`true`: a line on stderr that is drawn again and again, or a plain line now and then "
      .. "where that is no terminal; a function is called with the numbers instead" },
  { name = "journal", type = "string", default = "none",
    text = "a file that says what was begun and what has ended; a later run goes on from there" },
  { name = "key", type = "fun(item: any): string|integer", default = "the item itself",
    text = "names an item in the journal; two items need two keys" },
  { name = "group", type = "fun(key: string): string?", default = "no groups",
    text = "names what the key of an item is about; of the keys of a group only the last one that "
      .. "did not fail counts" },
  { name = "work", type = "string", default = "the script's name",
    text = "what the journal is of; a journal of other work is refused" },
  { name = "redo_unknown", type = "boolean", default = "`false`",
    text = "does items again that an earlier run began without knowing their end" },
  { name = "stop_on_error", type = "boolean", default = "`false`",
    text = "begins nothing more once an item has failed" },
  { name = "collect", type = "boolean", default = "`false`",
    text = "keeps the results, in `report.results`" },
}

manual.report = {
  { name = "ok", type = "integer", text = "items that were done" },
  { name = "failed", type = "integer", text = "items that failed, and of which nothing was done" },
  { name = "skipped", type = "integer", text = "items that an earlier run had done" },
  { name = "unknown", type = "integer",
    text = "items that failed or were given up, and may have been done, or in part" },
  { name = "errors", type = "{ index: integer, item: any, key: string?, error: any }[]",
    text = "of the failed and unknown ones, by index" },
  { name = "results?", type = "any[]", text = "with `collect`: the first results, by index" },
}

manual.progress = {
  { name = "done", type = "integer", text = "ok, failed, skipped and unknown together" },
  { name = "total?", type = "integer", text = "where the source is a list" },
  { name = "ok", type = "integer", text = "" },
  { name = "failed", type = "integer", text = "" },
  { name = "skipped", type = "integer", text = "" },
  { name = "unknown", type = "integer", text = "" },
  { name = "running", type = "integer", text = "items under way" },
  { name = "elapsed", type = "number", text = "seconds" },
  { name = "rate", type = "number", text = "items a second, without those that were skipped" },
  { name = "left?", type = "number", text = "seconds, as far as can be told" },
  { name = "pause?", type = "number",
    text = "seconds until calls are sent again, because the server answered 429" },
  { name = "waiting?", type = "boolean", text = "of a wait, where a rate says nothing" },
}

--- Of the waits; the order of lua/cekura/wait.lua.
manual.wait_options = {
  { name = "interval", type = "number", default = "from 1, growing to 15",
    text = "seconds between two polls, a tenth more or less" },
  { name = "timeout", type = "number", default = "1800",
    text = "seconds for all of it" },
  { name = "progress", type = "boolean|fun(numbers: cekura.Progress)", default = "`false`",
    text = "as of `client:each`: how much of what was asked for is done" },
  { name = "on_poll", type = "fun(value: any, n: integer, err: cekura.Error?)", default = "none",
    text = "is told of each poll: its value, or nil and the error that it failed with" },
  { name = "headers", type = "table<string, string>", default = "`{}`",
    text = "headers to add to each poll" },
  { name = "deadline", type = "number", default = "the client's",
    text = "seconds for one poll: its attempts and the waits between them" },
  { name = "max_attempts", type = "integer", default = "the client's",
    text = "how often one poll is tried at most; after that there are further polls" },
}

--- Of `client:request`; the order of src/lua/raw_request.c.
manual.request = {
  { name = "method", type = '"GET"|"POST"|"PUT"|"PATCH"|"DELETE"', text = "" },
  { name = "path", type = "string",
    text = "begins with `/` and goes behind api_url; already percent-encoded, without a query" },
  { name = "query?", type = "table<string, string|number|boolean|(string|number|boolean)[]>",
    text = "percent-encoded here; sent in the order of the names, a list joined by commas" },
  { name = "body?", type = "any", text = "any JSON value; without one there is no body" },
  { name = "spends_credits?", type = "boolean",
    text = "true for all but a GET, unless `idempotent` is true" },
  { name = "idempotent?", type = "boolean",
    text = "whether it may be sent again when in doubt: true for a GET, else false" },
}

--- Methods that are no endpoint. All of clients but `close` are functions of the module, too: with
--- a colon, for the default client.
local VALUE_OR_ERROR = {
  { "value", "any", "" }, { "response_or_err", "cekura.Response|cekura.Error", "" },
}
manual.methods = {
  { class = "results", name = "pages",
    text = "All results, read a page at a time: `for result in client.results:pages{…}`.",
    params = { { "arguments", "cekura.results.list.Arguments", "as of `list`" },
      { "options?", "cekura.CallOptions", "of each call" } },
    returns = { { "next", "fun(): cekura.Result?", "raises where a page fails" } } },
  { class = "calls", name = "pages",
    text = "All call logs, likewise.",
    params = { { "arguments", "cekura.calls.list.Arguments", "as of `list`" },
      { "options?", "cekura.CallOptions", "of each call" } },
    returns = { { "next", "fun(): cekura.CallLog?", "raises where a page fails" } } },
  { class = "results", name = "wait",
    text = "Waits until a result's status is one that nothing follows.",
    params = { { "arguments", "cekura.results.get.Arguments", "`{ result_id }`" },
      { "options?", "cekura.WaitOptions", "" } },
    returns = { { "result", "cekura.Result?", "" }, VALUE_OR_ERROR[2] } },
  { class = "metric_reviews", name = "wait",
    text = "Waits until the optimiser has a proposal.",
    params = { { "arguments", "cekura.metric_reviews.process_feedbacks_progress.Arguments",
      "`{ progress_id, agent_id?, project_id? }`" }, { "options?", "cekura.WaitOptions", "" } },
    returns = { { "improvement", "cekura.Improvement?", "" }, VALUE_OR_ERROR[2] } },
  { class = "calls", name = "wait",
    text = "Waits until each metric has a new value on each call log.",
    params = { { "arguments", "{ call_logs: cekura.CallLog[], metrics: cekura.Id[] }",
      "what `evaluate_metrics` returned, and the metrics that it was given" },
      { "options?", "cekura.WaitOptions", "" } },
    returns = { { "call_logs", "cekura.CallLog[]?", "" }, VALUE_OR_ERROR[2] } },
  { class = "Client", name = "request",
    text = "Calls an endpoint that this library does not know.",
    params = { { "arguments", "cekura.Request", "" }, { "options?", "cekura.CallOptions", "" } },
    returns = VALUE_OR_ERROR },
  { class = "Client", name = "close",
    text = "Closes the connections and overwrites our copies of the key. Twice does no harm.",
    params = {}, returns = {} },
  { class = "Client", name = "each",
    text = "Calls `fn(item, index)` for each item of the source, several at a time.",
    params = { { "source", "any[]|fun(): any", "a list, or an iterator function" },
      { "fn", "fun(item: any, index: integer): any, any",
        "fails by `return nil, err` or by raising" },
      { "options?", "cekura.EachOptions", "" } },
    returns = { { "report", "cekura.Report?", "" }, { "err", "cekura.Error?", "" } } },
  { class = "Client", name = "spawn",
    text = "Makes a task of a function. It begins with the next step.",
    params = { { "fn", "function", "" }, { "...", "any", "its arguments" } },
    returns = { { "task", "cekura.Task?", "" }, { "err", "cekura.Error?", "" } } },
  { class = "Client", name = "sleep",
    text = "Waits; in a task the others go on meanwhile.",
    params = { { "seconds", "number", "" } },
    returns = { { "done", "boolean?", "" }, { "err", "cekura.Error?", "" } } },
  { class = "Client", name = "step",
    text = "Does what can be done now for the tasks.",
    params = { { "seconds?", "number", "how long to wait for something to do; 0 if left out" } },
    returns = { { "left", "boolean?", "whether there is a task that has not ended" },
      { "err", "cekura.Error?", "" } } },
  { class = "Client", name = "pollfd", text = "The one descriptor that a host's loop polls.",
    params = {},
    returns = { { "descriptor", "integer?", "" }, { "err", "cekura.Error?", "" } } },
  { class = "Client", name = "events", text = "What to poll it for.", params = {},
    returns = { { "events", "string?", '`"r"`' }, { "err", "cekura.Error?", "" } } },
  { class = "Client", name = "timeout", text = "When the next step is due, at the latest.",
    params = {},
    returns = { { "seconds", "number?", "nil: when the descriptor is ready, not before" },
      { "err", "cekura.Error?", "" } } },
  { class = "Task", name = "wait",
    text = "The results of its function, once it has ended; nil and the error if it raised one.",
    params = {}, returns = { { "...", "any", "" } } },
  { class = "Task", name = "cancel",
    text = "Ends it where it stands; its `<close>` variables are closed, its call is given up.",
    params = {}, returns = { { "ended", "boolean", "false: it is running, or has ended" } } },
  { class = "Task", name = "wake", text = "Ends its `client:sleep`.", params = {},
    returns = { { "woken", "boolean", "false: it was not asleep" } } },
  { class = "Task", name = "ended", text = "Whether it has ended.", params = {},
    returns = { { "ended", "boolean", "" } } },
  { class = "Task", name = "applied",
    text = "The most that the calls made in it may have done.", params = {},
    returns = { { "applied", "cekura.Applied", "" } } },
}

--- What a call returns, where the contract's line of text is not enough for an editor.
manual.results = {
  ["results.evaluate_metrics"] = "cekura.Result",
  ["calls.evaluate_metrics"] = "cekura.CallLog[]",
  ["metric_reviews.process_feedbacks_progress"] = "cekura.Improvement",
  ["metrics.get"] = "cekura.Metric",
  ["metrics.update"] = "cekura.Metric",
  ["results.get"] = "cekura.Result",
  ["results.list"] = "cekura.ResultPage",
  ["runs.get"] = "cekura.Run",
  ["runs.bulk"] = "cekura.Run[]",
  ["calls.get"] = "cekura.CallLog",
  ["calls.list"] = "cekura.CallLogPage",
  ["billing.info"] = "cekura.Billing",
}

--- A page of a list of `item`s.
local function page(name, item, text)
  return { name = name, text = text, fields = {
    { name = "count?", type = "integer", text = "how many there are; not reliable" },
    { name = "next?", type = "string", text = "the address of the next page; absent on the last" },
    { name = "previous?", type = "string", text = "the address of the page before" },
    { name = "results?", type = item .. "[]", text = "" },
  } }
end

--- Classes for those. Every field may be missing: an answer is never refused for its shape.
manual.classes = {
  { name = "cekura.Result", text = "A result: a test run of an agent, with its runs.", fields = {
    { name = "id?", type = "integer", text = "" },
    { name = "name?", type = "string", text = "" },
    { name = "agent?", type = "integer", text = "the agent that was tested" },
    { name = "agent_name?", type = "string", text = "" },
    { name = "agent_inbound?", type = "boolean", text = "whether the agent takes calls" },
    { name = "status?", type = "string", text = '"running", "completed", "failed", …' },
    { name = "success_rate?", type = "number", text = "0.0 to 1.0" },
    { name = "run_as_text?", type = "boolean", text = "" },
    { name = "is_cronjob?", type = "boolean|string", text = "" },
    { name = "runs?", type = "table",
      text = "summaries of the runs; of `results.get` the whole runs, by their ids as strings" },
    { name = "overall_evaluation?", type = "any", text = "of `results.get`: the metrics over all runs" },
    { name = "failed_reasons?", type = "any", text = "of `results.get`" },
    { name = "met_expected_outcome_count?", type = "integer|string", text = "" },
    { name = "total_expected_outcome_count?", type = "integer|string", text = "" },
    { name = "total_runs_count?", type = "integer|string", text = "" },
    { name = "completed_runs_count?", type = "integer|string", text = "" },
    { name = "success_runs_count?", type = "integer|string", text = "" },
    { name = "failed_runs_count?", type = "integer|string", text = "" },
    { name = "scenarios?", type = "table", text = "" },
    { name = "run_type?", type = "string", text = "" },
    { name = "created_at?", type = "string", text = "" },
    { name = "updated_at?", type = "string", text = "" },
  } },
  { name = "cekura.CallLog", text = "A production call.", fields = {
    { name = "id?", type = "integer", text = "" },
    { name = "call_id?", type = "string", text = "" },
    { name = "agent?", type = "integer", text = "" },
    { name = "agent_name?", type = "string", text = "" },
    { name = "timestamp?", type = "string", text = "when the call took place" },
    { name = "duration?", type = "string", text = "MM:SS" },
    { name = "success?", type = "boolean", text = "absent while the call has not been judged" },
    { name = "status?", type = "string",
      text = '"success", "failure", "reviewed_success" or "reviewed_failure"' },
    { name = "is_reviewed?", type = "boolean", text = "" },
    { name = "feedback?", type = "string", text = "" },
    { name = "metrics?", type = "table[]", text = "{ id, name, type, score or enum, … }" },
    { name = "evaluation?", type = "any", text = "" },
    { name = "call_ended_reason?", type = "string", text = "" },
    { name = "customer_number?", type = "string", text = "" },
    { name = "trace_id?", type = "string", text = "" },
    { name = "error_message?", type = "string", text = "" },
    { name = "dropoff_point?", type = "string", text = "" },
    { name = "topic?", type = "string", text = "" },
    { name = "transcript?", type = "string", text = "" },
    { name = "transcript_object?", type = "any", text = "" },
    { name = "metadata?", type = "table", text = "of `calls.get`" },
    { name = "created_at?", type = "string", text = "" },
    { name = "updated_at?", type = "string", text = "" },
  } },
  { name = "cekura.Run", text = "A simulated call of a result.", fields = {
    { name = "id?", type = "integer", text = "" },
    { name = "result_id?", type = "integer", text = "" },
    { name = "agent?", type = "integer", text = "" },
    { name = "scenario?", type = "integer", text = "" },
    { name = "scenario_name?", type = "string", text = "" },
    { name = "status?", type = "string", text = '"evaluating", "completed", "failed", …' },
    { name = "success?", type = "boolean", text = "whether it passed its evaluation" },
    { name = "evaluation_status?", type = "string",
      text = '"success", "failure", "reviewed_success" or "reviewed_failure"' },
    { name = "evaluation?", type = "{ metrics: table[]? }", text = "what each metric said" },
    { name = "expected_outcome?", type = "any", text = "" },
    { name = "is_reviewed?", type = "boolean", text = "" },
    { name = "feedback?", type = "string", text = "" },
    { name = "transcript?", type = "string", text = "" },
    { name = "transcript_object?", type = "any", text = "" },
    { name = "duration?", type = "string", text = "MM:SS" },
    { name = "error_message?", type = "string", text = "why it failed to connect" },
    { name = "metadata?", type = "any", text = "" },
    { name = "timestamp?", type = "string", text = "" },
  } },
  { name = "cekura.Metric", text = "What is measured of calls, and how.", fields = {
    { name = "id?", type = "integer", text = "" },
    { name = "slug?", type = "string", text = "" },
    { name = "name?", type = "string", text = "" },
    { name = "description?", type = "string", text = "" },
    { name = "type?", type = "string", text = '"llm_judge", "custom_code", …' },
    { name = "eval_type?", type = "string",
      text = '"binary", "continuous_qualitative", "numeric" or "enum"' },
    { name = "enum_values?", type = "string[]", text = "" },
    { name = "prompt?", type = "string", text = "" },
    { name = "custom_code?", type = "string", text = "" },
    { name = "evaluation_trigger?", type = "string", text = '"always", "automatic" or "custom"' },
    { name = "trigger_type?", type = "string", text = '"llm_judge" or "custom_code"' },
    { name = "evaluation_trigger_prompt?", type = "string", text = "" },
    { name = "evaluation_trigger_custom_code?", type = "string", text = "" },
    { name = "project?", type = "integer", text = "" },
    { name = "agents?", type = "integer[]", text = "" },
    { name = "configuration?", type = "any", text = "" },
    { name = "reviews?", type = "table[]", text = "of `metrics.get`: what reviewers said of it" },
  } },
  { name = "cekura.Improvement", text = "How far the optimiser is, and what it proposes.", fields = {
    { name = "status?", type = "string", text = "not documented, and yet there while it works" },
    { name = "improved_metric_description?", type = "string", text = "there once it is done" },
    { name = "improved_evaluation_trigger?", type = "string",
      text = "a prompt, code, or \"always\": see improved_trigger_kind" },
    { name = "improved_trigger_kind?", type = "string",
      text = '"always", "llm_judge" or "custom_code"' },
    { name = "trigger_type?", type = "string", text = '"llm_judge" or "custom_code"' },
    { name = "type?", type = "string", text = "the metric type that it proposes" },
    { name = "custom_code?", type = "string", text = "Python, where it proposes that" },
    { name = "optimization_summary?", type = "string", text = "what the new metric does" },
    { name = "old_score?", type = "any", text = "{ num_correct, num_total, score }" },
    { name = "new_score?", type = "any", text = "the same of the proposal" },
    { name = "review_results?", type = "table[]", text = "for each test set" },
    { name = "unresolved_samples?", type = "table[]", text = "" },
  } },
  { name = "cekura.Billing", text = "An organization's balance.", fields = {
    { name = "organization?", type = "integer", text = "" },
    { name = "credits_remaining?", type = "number|string", text = "" },
    { name = "credits_used?", type = "number|string", text = "in this billing cycle" },
    { name = "initial_balance?", type = "number|string", text = "" },
    { name = "balance_expiry?", type = "string", text = "" },
    { name = "subscription_status?", type = "table", text = "" },
  } },
  page("cekura.ResultPage", "cekura.Result", "A page of results."),
  page("cekura.CallLogPage", "cekura.CallLog", "A page of call logs."),
}

--- Lua source for a field in an example; ids are of the sandbox's data. An optional field that
--- has none is left out.
manual.samples = {
  run_id = "5544", metric_id = "55", thumbs_up = "false", expected_value = "2",
  feedback = '"Agent missed the reschedule step"',
  result_id = "373", run_ids = "{ 5543, 5544 }", metric_ids = "{ 55 }",
  result_ids = "{ 372, 373 }", agent_id = "231", call_logs = "{ 70023, 70072 }",
  metrics = "{ 55 }", call_log_id = "70071", page_size = "20",
  timestamp_from = '"2025-01-01T00:00:00Z"', description = '"Did the agent reschedule the visit?"',
  filters_v2 = '{ field = "success", op = "eq", value = false }',
}

--- For a single endpoint. The job is that of the example before it.
manual.own_samples = {
  ["metric_reviews.process_feedbacks_progress"] = { progress_id = "value.progress_id" },
}

--- Lua source for what an example does with `value`.
manual.uses = {
  ["runs.mark_metric_vote"] = "print(value.success)",
  ["results.evaluate_metrics"] = "print(value.id, value.status)",
  ["calls.evaluate_metrics"] = "for _, log in ipairs(value) do print(log.id, log.status) end",
  ["metric_reviews.process_feedbacks"] = "print(value.progress_id)",
  ["metric_reviews.process_feedbacks_progress"] =
    "print(value.improved_metric_description or value.status)",
  ["metrics.get"] = "print(value.name, value.description)",
  ["metrics.update"] = "print(value.description)",
  ["results.get"] = "for id, run in pairs(value.runs) do print(id, run.status) end",
  ["results.list"] = "for _, result in ipairs(value.results) do print(result.id, result.name) end",
  ["runs.get"] = "for _, metric in ipairs(value.evaluation.metrics) do print(metric.name) end",
  ["runs.bulk"] = "for _, run in ipairs(value) do print(run.id, run.success) end",
  ["calls.get"] = "print(value.transcript)",
  ["calls.list"] = "for _, log in ipairs(value.results) do print(log.id, log.status) end",
  ["calls.mark_metric_vote"] = "print(value.detail)",
  ["billing.info"] = "print(value.credits_remaining)",
}

-- ---- prose ----

manual.uncounted = "The number of evaluations is not known beforehand: under `max_evaluations` the "
  .. "call is refused unless `evaluations` states it or `uncounted = true` allows it."

manual.options_intro = [[
`cekura.new` takes these options. The last column says which of them a single call takes too, in its
second table. The first match wins: the call's option, the client's, the environment variable, the
default. An empty variable counts as unset. An unknown option is an error that suggests the nearest
known one.
]]

manual.introduction = [[
Every endpoint, and every table that goes in or comes out. The guides explain how they work together:
[calls, errors and retries](guide-calls.md), [batches](guide-batches.md),
[embedding](guide-embedding.md), [testing](guide-testing.md).

A call takes a table of arguments, with path, query and body fields together, and an optional table of
options. It returns `value, response`, or `nil, err`. It raises only for misuse of the language, such
as `.` in place of `:`.

The examples form one script:

```lua
local cekura = require "cekura"
local client = assert(cekura.new())   -- the key comes from CEKURA_API_KEY
```
]]

return manual
