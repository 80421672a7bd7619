--- The types that the contract does not have: options, errors, responses, functions. From these and
--- the contract, tools/generate.lua writes lua/cekura/types.lua and docs/reference.md.
---
--- Types are in LuaLS's notation. A text is one line of Markdown, unless it is in [[ ]].

local manual = {}

--- In the order in which they are shown. `call`: also an option of a single call; `call = "only"`:
--- of a single call only. `default` is text.
manual.options = {
  { name = "api_key", type = "string", environment = "CEKURA_API_KEY",
    text = "required; sent as `X-CEKURA-API-KEY`; visible ASCII" },
  { name = "api_url", type = "string", environment = "CEKURA_API_URL",
    default = "`https://api.cekura.ai`",
    text = "may have a path prefix and a trailing slash; plain `http` only to a loopback host" },
  { name = "allow_http", type = "boolean", default = "`false`",
    text = "permits plain `http` to any host: the key then crosses the network in the clear" },
  { name = "timeout", type = "number", default = "30", call = true,
    text = "seconds for one attempt" },
  { name = "connect_timeout", type = "number", default = "10",
    text = "seconds to connect, TLS included" },
  { name = "deadline", type = "number", default = "120", call = true,
    text = "seconds for the whole call: all attempts and the waits between them" },
  { name = "max_attempts", type = "integer", default = "4", call = true,
    text = "maximum number of attempts; 1: no retry" },
  { name = "backoff", type = "{ base: number?, cap: number? }",
    default = "`{ base = 0.5, cap = 20 }`",
    text = "seconds before a retry: random, up to `base`, which doubles with each attempt and once "
      .. "more after a 429, and at most `cap`" },
  { name = "max_response_bytes", type = "integer", default = "67108864 (64 MiB)",
    text = "largest response that is read, after decompression" },
  { name = "max_evaluations", type = "integer", default = "no limit", call = true,
    text = "refuses, before it is sent, a call that starts more metric evaluations than this, or a "
      .. "number that is not known exactly" },
  { name = "spend_limit", type = "integer", default = "no limit",
    text = "the metric evaluations that all calls of the client together may start: refuses, before it "
      .. "is sent, a call that would exceed it, or a number that is not known exactly" },
  { name = "keep_null", type = "boolean", default = "`false`",
    text = "keeps a JSON null in an object as `cekura.null`; otherwise the field is absent" },
  { name = "ca_file", type = "string", environment = "CEKURA_CA_FILE", default = "the system's",
    text = "a file of certificate authorities to trust instead of the system's" },
  { name = "ca_path", type = "string", default = "none",
    text = "a folder of certificate authorities to trust instead of the system's, or in addition to "
      .. "`ca_file`; OpenSSL finds them by the names that `openssl rehash` gives them" },
  { name = "proxy", type = "string", default = "`https_proxy` or `all_proxy`, unless `no_proxy` names the host",
    text = "the proxy's URL; user name and password are percent-encoded, and never shown. An empty "
      .. "string: no proxy, even if the environment names one" },
  { name = "headers", type = "table<string, string>", default = "`{}`", call = true,
    text = "additional headers; they cannot replace the client's own" },
  { name = "user_agent", type = "string", default = "`cekura-lua/VERSION`",
    text = "the `User-Agent` header" },
  { name = "on_event", type = "fun(event: cekura.Event)", default = "none",
    text = "called at each step of each call: see Events. It may close the client, but not use it otherwise" },
  { name = "event_bodies", type = "boolean", default = "`false`",
    text = "adds the bodies of requests and responses to events" },
  { name = "retry_unknown", type = "boolean", default = "`false`", call = "only",
    text = "retries also if the server may have acted: you may pay twice" },
  { name = "dry_run", type = "boolean", default = "`false`", call = "only",
    text = "sends nothing, and returns what would be sent" },
  { name = "evaluations", type = "integer", default = "what the arguments prove", call = "only",
    text = "states how many metric evaluations the call starts, for `max_evaluations` and "
      .. "`spend_limit`; a number below what the arguments prove is ignored" },
  { name = "uncounted", type = "boolean", default = "`false`", call = "only",
    text = "sends the call under `max_evaluations` or `spend_limit` although its number of metric "
      .. "evaluations is not known" },
}

manual.kinds = {
  { "config", "the options of `cekura.new` are wrong, or the client is closed" },
  { "validation", "the arguments are wrong; nothing was sent" },
  { "budget", "the call would start more evaluations than `max_evaluations` or `spend_limit` permits, "
    .. "or a number that is not known; nothing was sent" },
  { "authentication", "401: the key is not accepted" },
  { "permission", "403" },
  { "not_found", "404" },
  { "rate_limited", "429" },
  { "bad_request", "any other 4xx" },
  { "server", "5xx" },
  { "network", "the connection failed or was lost" },
  { "timeout", "`timeout`, `connect_timeout` or `deadline` passed" },
  { "tls", "the secure connection failed, or the certificate is not valid" },
  { "response", "the response is unreadable, truncated, too large, or a redirect" },
  { "cancelled", "the caller cancelled the call" },
  { "failed", "the job that was waited for has failed; `err.last` is its last value" },
  { "needs_person", "the job that was waited for asks a question; see `err.questions`" },
}

manual.applied = {
  { "no", "the server did not act on the call" },
  { "unknown", "it may have acted: check before you send the call again" },
  { "yes", "it acted, and only its response was lost or unreadable" },
}

manual.error = {
  { name = "kind", type = "cekura.Kind", text = "the kind of failure" },
  { name = "message", type = "string", text = "what went wrong" },
  { name = "applied", type = "cekura.Applied", text = "whether the server acted on the call" },
  { name = "retryable", type = "boolean",
    text = "whether the same call may be sent again without harm, and may succeed then" },
  { name = "fields?", type = "table<string, string[]>",
    text = "problems by field, or by path (`call_logs[3]`) for `validation` and `config`" },
  { name = "status?", type = "integer", text = "of the response, if there was one" },
  { name = "detail?", type = "string", text = "the response's description of the failure" },
  { name = "body?", type = "string", text = "the body of the response, without the key; 64 KiB at most" },
  { name = "retry_after?", type = "number",
    text = "seconds to wait before the next call: `Retry-After`, or the rest of a pause after a 429" },
  { name = "request_id?", type = "string", text = "`X-Request-Id` of the response, for support" },
  { name = "endpoint?", type = "string", text = 'of the call: `"runs.mark_metric_vote"`' },
  { name = "method?", type = "string", text = "of the call" },
  { name = "url?", type = "string", text = "of the call" },
  { name = "attempts?", type = "integer", text = "how many times it was sent" },
  { name = "idempotent?", type = "boolean", text = "of the call: whether sending it twice has the effect of sending it once" },
  { name = "last?", type = "any", text = "of a wait: the last value" },
  { name = "cause?", type = "cekura.Error", text = "of a wait that timed out: why its last poll failed" },
  { name = "questions?", type = "any", text = "of `needs_person`: the questions, if the job has them" },
  { name = "report?", type = "cekura.Report", text = "of `client:each`" },
}

manual.response = {
  { name = "status", type = "integer", text = "for example 200" },
  { name = "headers", type = "table<string, string>", text = "by name in lower case" },
  { name = "attempts", type = "integer", text = "how many times the call was sent" },
  { name = "elapsed", type = "number", text = "seconds, all attempts and waits included" },
}

manual.event = {
  { name = "type", type = '"request"|"response"|"deprecated"|"retry"|"give_up"',
    text = "`request`: an attempt begins; `response`: it has ended; `deprecated`: its response has a "
      .. "`Deprecation` or `Sunset` header; `retry`: there will be another attempt; `give_up`: the "
      .. "call has failed" },
  { name = "endpoint", type = "string", text = '`"runs.mark_metric_vote"`' },
  { name = "method", type = "string", text = '`"POST"`' },
  { name = "url?", type = "string", text = "nil once the client is closed" },
  { name = "body?", type = "string",
    text = "with `event_bodies`: the body that is sent (`request`) or was received (`response`)" },
  { name = "attempt", type = "integer", text = "its number: 1, 2, …" },
  { name = "elapsed", type = "number", text = "seconds since the call began" },
  { name = "status?", type = "integer", text = "of the response, if there was one" },
  { name = "kind?", type = "cekura.Kind", text = "of a failure" },
  { name = "applied?", type = "cekura.Applied", text = "of a failure" },
  { name = "wait?", type = "number", text = "of a `retry`: seconds until the next attempt" },
  { name = "deprecation?", type = "string",
    text = "of `deprecated`: the `Deprecation` header (RFC 9745), for example `\"@1688169599\"`" },
  { name = "deprecation_at?", type = "integer",
    text = "of `deprecated`: its date, in seconds since 1970; nil if it has no readable date" },
  { name = "sunset?", type = "string",
    text = "of `deprecated`: the `Sunset` header (RFC 8594), which announces the end of the endpoint" },
  { name = "sunset_at?", type = "integer",
    text = "of `deprecated`: its date, in seconds since 1970; nil if it has no readable date" },
}

manual.dry_run = {
  { name = "method", type = "string", text = 'for example "POST"' },
  { name = "url", type = "string", text = "" },
  { name = "headers", type = "table<string, string>", text = "without the key" },
  { name = "body?", type = "string", text = "the JSON exactly as it would be sent; nil for a GET" },
  { name = "evaluations?", type = "integer",
    text = "how many metric evaluations it would start; nil if that is not known, or it starts none" },
  { name = "evaluations_at_least?", type = "true", text = "`evaluations` is a lower bound" },
}

--- Of the module. `params` and `returns` are { name, type, text }.
manual.functions = {
  { name = "new", text = "Returns a client. Nothing is sent and no connection is opened.",
    params = { { "options?", "cekura.Options", "" } },
    returns = { { "client", "cekura.Client?", "" }, { "err", "cekura.Error?", "" } } },
  { name = "array",
    text = "Marks a table as a JSON array, so that an empty one is sent as `[]`, not as `{}`.",
    params = { { "list", "table", "" } },
    returns = { { "list", "table", "the same table" } } },
  { name = "chunks",
    text = "Iterates over a list in slices: `for slice in cekura.chunks(ids, 100)`.",
    params = { { "list", "any[]", "a list without holes" },
      { "size", "integer", "items per slice, at least 1" } },
    returns = { { "next", "fun(): any[]?", "a new table each time" } } },
  { name = "values",
    text = "Returns what each metric says of a run or a call log, in whichever way the API encodes it.",
    params = { { "call", "cekura.Run|cekura.CallLog", "as the client returned it" } },
    returns = { { "values", "cekura.MetricValue[]", "empty if it has not been evaluated" } } },
  { name = "estimate",
    text = "Returns how many metric evaluations a call would start, and an estimate of their price. Makes calls that only read.",
    params = { { "client", "cekura.Client|cekura", "" },
      { "endpoint", "string", 'of `cekura.endpoints`: `"results.evaluate_metrics"`' },
      { "arguments", "table", "those of the call; a wrong one gives the same error" } },
    returns = { { "estimate", "cekura.Estimate?", "" }, { "err", "cekura.Error?", "" } } },
}

--- In the order of ck_budget_push_spent in src/lua/request/budget.c.
manual.spent = {
  { name = "evaluations", type = "integer", text = "of calls that the server acted on" },
  { name = "evaluations_unknown", type = "integer",
    text = "of calls that it may have acted on: it has started from `evaluations` to `evaluations` + "
      .. "`evaluations_unknown`, if `uncounted` is 0" },
  { name = "calls", type = "integer",
    text = "that the server acted on; each attempt of `retry_unknown` counts" },
  { name = "calls_unknown", type = "integer", text = "that it may have acted on" },
  { name = "uncounted", type = "integer",
    text = "those of both whose number of evaluations is not known exactly; they count what is proven" },
  { name = "in_flight", type = "integer", text = "evaluations that are reserved by calls in flight" },
}

--- Of `client:each`, in the order of lua/cekura/each.lua.
manual.each_options = {
  { name = "concurrency", type = "integer", default = "8", text = "how many items are in flight at once" },
  { name = "progress", type = "boolean|fun(numbers: cekura.Progress)", default = "`false`",
    text = "`true`: a line on stderr that is redrawn, or a plain line now and then if stderr is not a "
      .. "terminal; a function is called with the numbers instead" },
  { name = "journal", type = "string", default = "none",
    text = "a file that records which items were started and how they ended; a later run continues from there" },
  { name = "key", type = "fun(item: any): string|integer", default = "the item itself",
    text = "names an item in the journal; two items need two keys" },
  { name = "group", type = "fun(key: string): string?", default = "no groups",
    text = "names what a key is about; of the keys of a group only the last one that did not fail "
      .. "counts" },
  { name = "work", type = "string", default = "the script's name",
    text = "what the journal is for; a journal of other work is refused" },
  { name = "redo_unknown", type = "boolean", default = "`false`",
    text = "repeats items that an earlier run started but did not finish" },
  { name = "stop_on_error", type = "boolean", default = "`false`",
    text = "starts no item after one has failed" },
  { name = "collect", type = "boolean", default = "`false`",
    text = "keeps the results, in `report.results`" },
}

manual.report = {
  { name = "ok", type = "integer", text = "items that succeeded" },
  { name = "failed", type = "integer", text = "items that failed without effect" },
  { name = "skipped", type = "integer", text = "items that an earlier run finished" },
  { name = "unknown", type = "integer",
    text = "items that failed or were cancelled, and may have had an effect" },
  { name = "spent", type = "cekura.Spent",
    text = "what the items have spent in this run; `in_flight` is 0" },
  { name = "errors", type = "{ index: integer, item: any, key: string?, error: any }[]",
    text = "one for each failed or unknown item, by index" },
  { name = "results?", type = "any[]", text = "with `collect`: the first result of the function for each item, by index" },
}

manual.progress = {
  { name = "done", type = "integer", text = "ok, failed, skipped and unknown together" },
  { name = "total?", type = "integer", text = "if the source is a list" },
  { name = "ok", type = "integer", text = "" },
  { name = "failed", type = "integer", text = "" },
  { name = "skipped", type = "integer", text = "" },
  { name = "unknown", type = "integer", text = "" },
  { name = "running", type = "integer", text = "items in flight" },
  { name = "elapsed", type = "number", text = "seconds" },
  { name = "rate", type = "number", text = "items per second, without those that were skipped" },
  { name = "left?", type = "number", text = "seconds, estimated" },
  { name = "spent?", type = "cekura.Spent",
    text = "of `client:each`: what the items have spent so far; `in_flight` of their own calls only" },
  { name = "pause?", type = "number",
    text = "seconds until calls are sent again after a 429" },
  { name = "waiting?", type = "boolean", text = "true in a wait, whose `rate` is meaningless" },
  { name = "problem?", type = "string",
    text = "in a wait: the kind of the error of the last poll, if it failed" },
}

--- Of the waits, in the order of lua/cekura/wait.lua.
manual.wait_options = {
  { name = "interval", type = "number", default = "from 1, growing to 15",
    text = "seconds between two polls, with 10 % jitter" },
  { name = "timeout", type = "number", default = "1800",
    text = "seconds for the whole wait" },
  { name = "progress", type = "boolean|fun(numbers: cekura.Progress)", default = "`false`",
    text = "as for `client:each`: shows how much of the work has ended" },
  { name = "on_poll", type = "fun(value: any, n: integer, err: cekura.Error?)", default = "none",
    text = "called after each poll, with its value, or with nil and its error" },
  { name = "headers", type = "table<string, string>", default = "`{}`",
    text = "additional headers of each poll" },
  { name = "deadline", type = "number", default = "the client's",
    text = "seconds for one poll: its attempts and the waits between them" },
  { name = "max_attempts", type = "integer", default = "the client's",
    text = "maximum number of attempts of one poll; further polls follow" },
}

--- Of `client:request`, in the order of src/lua/request/raw_request.c.
manual.request = {
  { name = "method", type = '"GET"|"POST"|"PUT"|"PATCH"|"DELETE"', text = "" },
  { name = "path", type = "string",
    text = "begins with `/` and follows api_url; percent-encoded by the caller, without a query" },
  { name = "query?", type = "table<string, string|number|boolean|(string|number|boolean)[]>",
    text = "percent-encoded by the client; sent in the order of the names, a list joined by commas" },
  { name = "body?", type = "any", text = "any JSON value; nil: no body" },
  { name = "spends_credits?", type = "boolean",
    text = "default: true for every method except GET, unless `idempotent` is true" },
  { name = "idempotent?", type = "boolean",
    text = "whether it may be sent twice; default: true for GET only" },
}

--- Methods that are not endpoints. Those of a client, except `close`, are also functions of the
--- module, for the default client.
local VALUE_OR_ERROR = {
  { "value", "any", "" }, { "response_or_err", "cekura.Response|cekura.Error", "" },
}
local OF_LIST = "as of `list`; `ql` must select id"
manual.methods = {
  { class = "results", name = "pages",
    text = "Iterates over all results, a page at a time: `for result in client.results:pages{…}`.",
    params = { { "arguments", "cekura.results.list.Arguments", OF_LIST },
      { "options?", "cekura.CallOptions", "of each call" } },
    returns = { { "next", "fun(): cekura.Result?", "raises if a page fails" } } },
  { class = "runs", name = "pages",
    text = "Iterates over all runs.",
    params = { { "arguments", "cekura.runs.list.Arguments", OF_LIST },
      { "options?", "cekura.CallOptions", "of each call" } },
    returns = { { "next", "fun(): cekura.Run?", "raises if a page fails" } } },
  { class = "calls", name = "pages",
    text = "Iterates over all call logs. A range of more than 33 days is read in windows.",
    params = { { "arguments", "cekura.calls.list.Arguments",
        "as of `list`, without `page` if the range is longer than 33 days; `ql` must select id" },
      { "options?", "cekura.CallOptions", "of each call" } },
    returns = { { "next", "fun(): cekura.CallLog?", "raises if a page fails" } } },
  { class = "results", name = "wait",
    text = "Waits until a result has ended. `after` is the result as it was before the evaluation, for example of `results.get`: a status from then does not end the wait.",
    params = { { "arguments", "{ result_id: cekura.Id, after: cekura.Result? }",
      "`{ result_id, after? }`" },
      { "options?", "cekura.WaitOptions", "" } },
    returns = { { "result", "cekura.Result?", "" }, VALUE_OR_ERROR[2] } },
  { class = "metric_reviews", name = "wait",
    text = "Waits until the optimiser proposes an improvement. The fields of `output` and of `output.meta_harness` are also fields of the value.",
    params = { { "arguments", "cekura.metric_reviews.process_feedbacks_progress.Arguments",
      "`{ progress_id, agent_id?, project_id? }`" }, { "options?", "cekura.WaitOptions", "" } },
    returns = { { "improvement", "cekura.Improvement?", "" }, VALUE_OR_ERROR[2] } },
  { class = "metrics", name = "wait",
    text = "Waits until `run_reviews` has scored the labels. The fields of `output` are also fields of the value.",
    params = { { "arguments", "cekura.metrics.run_reviews_progress.Arguments",
      "`{ progress_id, agent_id?, project_id?, assistant_id? }`" },
      { "options?", "cekura.WaitOptions", "" } },
    returns = { { "scores", "cekura.ReviewProgress?", "" }, VALUE_OR_ERROR[2] } },
  { class = "calls", name = "wait",
    text = "Waits until each call log has a new value of each metric.",
    params = { { "arguments", "{ call_logs: cekura.CallLog[], metrics: cekura.Id[] }",
      "the value that `evaluate_metrics` returned, and its argument `metrics`" },
      { "options?", "cekura.WaitOptions", "" } },
    returns = { { "call_logs", "cekura.CallLog[]?", "" }, VALUE_OR_ERROR[2] } },
  { class = "Client", name = "request",
    text = "Calls an endpoint that the client has no method for.",
    params = { { "arguments", "cekura.Request", "" }, { "options?", "cekura.CallOptions", "" } },
    returns = VALUE_OR_ERROR },
  { class = "Client", name = "spent",
    text = "Returns what the calls of the client have spent, also once it is closed.",
    params = {}, returns = { { "spent", "cekura.Spent?", "" }, { "err", "cekura.Error?", "" } } },
  { class = "Client", name = "close",
    text = "Closes the connections and overwrites the key. A second call is a no-op.",
    params = {}, returns = {} },
  { class = "Client", name = "each",
    text = "Calls `fn(item, index)` with each item of the source, several at a time.",
    params = { { "source", "any[]|fun(): any", "a list, or an iterator function" },
      { "fn", "fun(item: any, index: integer): any, any",
        "fails by `return nil, err` or by raising" },
      { "options?", "cekura.EachOptions", "" } },
    returns = { { "report", "cekura.Report?", "" }, { "err", "cekura.Error?", "" } } },
  { class = "Client", name = "spawn",
    text = "Returns a task that runs the function from the next step on.",
    params = { { "fn", "function", "" }, { "...", "any", "its arguments" } },
    returns = { { "task", "cekura.Task?", "" }, { "err", "cekura.Error?", "" } } },
  { class = "Client", name = "sleep",
    text = "Sleeps. In a task, other tasks continue meanwhile.",
    params = { { "seconds", "number", "" } },
    returns = { { "done", "boolean?", "" }, { "err", "cekura.Error?", "" } } },
  { class = "Client", name = "step",
    text = "Runs the tasks as far as they can continue.",
    params = { { "seconds?", "number", "how long to wait for something to do; default: 0" } },
    returns = { { "left", "boolean?", "whether a task has not ended" },
      { "err", "cekura.Error?", "" } } },
  { class = "Client", name = "pollfd", text = "Returns the one descriptor that a host's loop polls.",
    params = {},
    returns = { { "descriptor", "integer?", "" }, { "err", "cekura.Error?", "" } } },
  { class = "Client", name = "events", text = "Returns the events to poll the descriptor for.", params = {},
    returns = { { "events", "string?", '`"r"`' }, { "err", "cekura.Error?", "" } } },
  { class = "Client", name = "timeout", text = "Returns the seconds until the next step is due.",
    params = {},
    returns = { { "seconds", "number?", "nil: not before the descriptor is ready" },
      { "err", "cekura.Error?", "" } } },
  { class = "Task", name = "wait",
    text = "Waits for the end of the task. Returns the results of its function, or nil and the error that it raised.",
    params = {}, returns = { { "...", "any", "" } } },
  { class = "Task", name = "cancel",
    text = "Cancels the task and its call, and closes its `<close>` variables.",
    params = {}, returns = { { "ended", "boolean", "false: it is the running task, or has ended" } } },
  { class = "Task", name = "wake", text = "Ends the `client:sleep` of the task.", params = {},
    returns = { { "woken", "boolean", "false: it was not sleeping" } } },
  { class = "Task", name = "ended", text = "Returns whether the task has ended.", params = {},
    returns = { { "ended", "boolean", "" } } },
  { class = "Task", name = "applied",
    text = "Returns the maximum of `applied` over all calls that were made in the task.", params = {},
    returns = { { "applied", "cekura.Applied", "" } } },
}

--- The classes of the values that calls return, unless the contract's text describes the value.
manual.results = {
  ["results.evaluate_metrics"] = "cekura.Result",
  ["calls.evaluate_metrics"] = "cekura.CallLog[]",
  ["metric_reviews.process_feedbacks_progress"] = "cekura.Improvement",
  ["test_sets.create_from_run"] = "cekura.TestSet",
  ["test_sets.create_from_call_log"] = "cekura.TestSet",
  ["metrics.get"] = "cekura.Metric",
  ["metrics.list"] = "cekura.Metric[]",
  ["metrics.update"] = "cekura.Metric",
  ["metrics.run_reviews_progress"] = "cekura.ReviewProgress",
  ["metrics.history"] = "cekura.MetricHistoryPage",
  ["metrics.restore"] = "cekura.Metric",
  ["results.get"] = "cekura.Result",
  ["results.list"] = "cekura.ResultPage",
  ["runs.get"] = "cekura.Run",
  ["runs.list"] = "cekura.RunPage",
  ["runs.bulk"] = "cekura.Run[]",
  ["calls.get"] = "cekura.CallLog",
  ["calls.list"] = "cekura.CallLogPage",
  ["billing.info"] = "cekura.Billing",
}

--- Reads lines of name, type and text, with at least two spaces between them. All may be missing.
local function fields(lines)
  local list = {}
  for line in lines:gmatch "[^\n]+" do
    local name, rest = line:match "^(%S+)%s+(.*)$"
    local type, text = rest:match "^(.-)  +(.*)$"
    list[#list + 1] = { name = name .. "?", type = type or rest, text = text or "" }
  end
  return list
end

--- A page of a list of `item`s.
local function page(name, item, text)
  return { name = name, text = text, fields = fields([[
count     integer  the number of items; absent with `include_count = false`, and not reliable
next      string   the address of the next page; absent on the last page
previous  string   the address of the previous page
results   ]] .. item .. "[]") }
end

--- The values that calls return. Every field may be missing: no response is refused for its shape.
manual.classes = {
  { name = "cekura.Result", text = "A result: a test run of an agent, with its runs.", fields = fields [[
id                            integer
name                          string
agent                         integer         the agent that was tested
agent_name                    string
agent_inbound                 boolean         whether the agent takes calls; only in `results.list`
agent_version                 any
status                        string          `running`, `completed`, `failed`, `pending`, `in_progress`, `evaluating`, `in_queue`, `timeout`, `cancelled` or `scaling_up`
success_rate                  number          0.0 to 1.0
run_as_text                   boolean         whether it tested text instead of voice
is_cronjob                    boolean|string  whether a schedule started it
run_type                      string
runs                          table           summaries of the runs; in `results.get` the runs (cekura.Run) by their ids as strings
scenarios                     table           `{ id, name }` of each scenario
met_expected_outcome_count    integer|string  runs that met their expected outcome
total_expected_outcome_count  integer|string  runs that have one
total_runs_count              integer|string
completed_runs_count          integer|string
success_runs_count            integer|string
failed_runs_count             integer|string
created_at                    string
updated_at                    string
overall_evaluation            any             the metrics over all runs; this and all following fields only in `results.get`
total_duration                string          MM:SS
connected_runs                any             ids of the runs that connected
not_connected_runs            any             ids of those that did not
failed_infrastructure_runs    any             ids of runs with an infrastructure issue
failed_workflow_runs          any             ids of runs that missed their expected outcome
successful_calls              any             ids of the runs that succeeded
critical_categories           any
metrics                       any
runs_by_tags                  any
latency_data                  any
failed_reasons                any             `{ issues, total_failed_runs }`
ai_summary                    any
ai_summary_status             string
next_steps                    any
path_coverage                 any             the critical paths that runs took or missed
performance_metrics           any             by rule of the project's rubric
run_settings                  any             the settings that it was started with
]] },
  { name = "cekura.Run", text = "A simulated call of a result.", fields = fields [[
id                             integer
result_id                      integer
result_name                    string
agent                          integer
agent_name                     string
agent_version                  any
scenario                       integer
scenario_name                  string
scenario_type                  string
scenario_instructions          string
personality                    integer
personality_name               string
test_profile_data              table                  `{ id, name, information }`
test_profile_name              string                 only in `runs.list`
status                         string                 as in a cekura.Result
success                        boolean                whether it passed its evaluation
evaluation_status              string                 `success`, `failure`, `reviewed_success` or `reviewed_failure`
evaluation                     cekura.Evaluation      not in `runs.list`
metrics                        cekura.MetricEntry[]   only in `runs.list`
expected_outcome               any                    how far the expected outcome was met
expected_outcome_prompt        string
rubric                         any
critical_categories            table[]                `{ category_id, category, deviation, wrongly_marked, feedback, priority }`
is_reviewed                    boolean
feedback                       string
transcript                     string
transcript_object              cekura.Turn[]
duration                       string                 MM:SS
voice_recording_url            string
testing_channel_index          integer                the testing agent's channel in the recording
error_message                  string                 why it failed to connect
metadata                       any
timestamp                      string
executed_at                    string
run_as_text                    boolean
run_type                       string
provider_call_id               string                 the call's id at the agent's provider
provider_call_details          any
trace_id                       string
email_id                       string
agent_number                   string
inbound_number                 string
outbound_number                string
generated_mock_tool_entries    table[]                `{ tool_id, tool_name, new_entry }`
mocked_tool_names              string[]
outbound_dial_window_opens_at  string
outbound_dial_window_closes_at  string
outbound_dial_window_seconds   number|string
]] },
  { name = "cekura.CallLog", text = "The log of a production call.", fields = fields [[
id                         integer
call_id                    string                    the call's id at the agent's provider
agent                      integer
agent_id                   integer|string            only in `calls.get`
agent_name                 string
project                    integer                   only in `calls.get`
timestamp                  string                    when the call took place
duration                   string                    MM:SS
success                    boolean                   absent until the call has been evaluated
status                     string                    `success`, `failure`, `reviewed_success` or `reviewed_failure`
is_reviewed                boolean
feedback                   string
metrics                    cekura.MetricEntry[]      not in `calls.get`
evaluation                 cekura.Evaluation|string  in `calls.get` the values of the metrics
rubric                     any                       only in `calls.get`
critical_categories        table[]                   only in `calls.get`; as in a cekura.Run
transcript                 string
transcript_object          cekura.Turn[]|string
user_generated_transcript  any                       only in `calls.get`: a corrected transcript
voice_recording_url        string                    only in `calls.get`
testing_channel_index      integer                   only in `calls.get`
call_ended_reason          string                    `customer-ended-call` and the like
customer_number            string
dropoff_point              string
topic                      string
trace_id                   string
error_message              string
metadata                   table                     only in `calls.get`
dynamic_variables          table                     only in `calls.get`
created_at                 string
updated_at                 string
]] },
  { name = "cekura.Evaluation", text = "The values of the metrics for a run or a call log.", fields = fields [[
metrics  cekura.MetricEntry[]
]] },
  { name = "cekura.MetricEntry", text = "A metric's value as the API encodes it; `cekura.values` reads it.", fields = fields [[
id           integer         of the metric
name         string          of the metric
type         string          `binary`, `continuous_qualitative`, `numeric` or `enum`
eval_type    string          the same; only in version 2 of the API
score        number|boolean  unless the metric is an enum; of a binary metric true or false, or 5 or 0; absent if the metric did not apply
passed       boolean         of a binary metric; only in version 2 of the API
enum         string          the value of an enum
value        string          the value of an enum
explanation  string[]        not in lists
extra        table           not in lists
]] },
  { name = "cekura.MetricValue", text = "The value of a metric for a run or a call log, as `cekura.values` returns it.", fields = {
    { name = "id?", type = "integer", text = "of the metric" },
    { name = "name?", type = "string", text = "of the metric" },
    { name = "kind?", type = '"binary"|"number"|"enum"', text = "nil if the response has neither a known type nor a value" },
    { name = "value?", type = "boolean|number|string",
      text = "true or false of a binary metric, a number, or the text of an enum; nil if `applies` is false, or if the value cannot be read for its kind" },
    { name = "applies", type = "boolean", text = "whether the response has a value" },
    { name = "explanation?", type = "string[]", text = "as in the response" },
  } },
  { name = "cekura.Estimate", text = "The size and the price of a call before it is sent, as `cekura.estimate` returns it.", fields = {
    { name = "evaluations?", type = "integer", text = "metric evaluations; nil if nothing bounds them" },
    { name = "exact", type = "boolean", text = "whether the call starts just as many; otherwise `evaluations` is an upper bound" },
    { name = "evaluations_at_least?", type = "true", text = "`evaluations` is a lower bound" },
    { name = "credits?", type = "number", text = "an estimate of what `evaluations` cost" },
    { name = "unknown_metrics", type = "integer[]", text = "metrics whose price the API does not name; 0.2 credits for each conversation are assumed" },
  } },
  { name = "cekura.Turn", text = "One turn of a transcript.", fields = fields [[
role                string
content             string
timestamp           number  seconds
start_time          number  seconds
end_time            number  seconds
normalized_content  string  only in a run
comparison_spans    any[]   only in a run
]] },
  { name = "cekura.Metric", text = "A metric: a prompt or code that gives each call a value.", fields = fields [[
id                                  integer
slug                                string
name                                string
description                         string
type                                string            `llm_judge` or `custom_code`; older metrics may have another
eval_type                           string            `binary`, `continuous_qualitative`, `numeric` or `enum`
enum_values                         string[]
prompt                              string
custom_code                         string            Python
evaluation_trigger                  string            `always`, `automatic` or `custom`
trigger_type                        string            `llm_judge` or `custom_code`
evaluation_trigger_prompt           string
evaluation_trigger_custom_code      string            Python
project                             integer
agents                              integer[]
agent_names                         string            only in `metrics.list`
configuration                       any
audio_enabled                       boolean
simulation_enabled                  boolean
observability_enabled               boolean
sampling_enabled                    boolean
add_to_new_agents                   boolean
display_order                       integer           only in `metrics.list`
metric_cost                         number            only in `metrics.list`
uses_llm_judge                      boolean|string    only in `metrics.list`
kb_file_ids                         integer[]         only in `metrics.list`
reviews                             cekura.Review[]   of the Lab; not in `metrics.list`
pending_optimisation_proposal       any               an unsaved proposal of a scheduled optimiser run; not in `metrics.list`
overall_score                       string            over all test sets
total_score                         string
priority_assignment_prompt          string
knowledge_base_files                string
function_name                       string            of a predefined metric
vocera_defined_metric_code          string            of a predefined metric
scenarios                           any
alert_enabled                       boolean           not in `metrics.list`
alert_type                          string            `disabled`, `normal` or `significant_change`
alert_filters                       any
slack_workspace                     integer
slack_channel_id                    string
significant_change_alert_status     string            `enabled` or `disabled`
significant_change_alert_direction  string            `increase`, `decrease`, or empty for both
window_size                         integer
std_multiplier                      number
ewma_alpha                          number
]] },
  { name = "cekura.Review", text = "A reviewer's feedback on a metric's value.", fields = fields [[
id              integer
metric          integer
test_set        cekura.TestSet  not in `metric_reviews` of a cekura.TestSet
expected_value  any
actual_value    any             not in `metric_reviews`
explanation     any
feedback        string
created_at      string          not in `metric_reviews`
updated_at      string          not in `metric_reviews`
metric_name     string          this and all following fields only in `metric_reviews`
eval_type       string
metric_enum_values  any
metric_function_name  string
metric_vocera_defined_metric_code  string
]] },
  { name = "cekura.TestSet", text = "A call in the Lab of metrics.", fields = fields [[
id                   integer
agent                integer
name                 string
metric_reviews       cekura.Review[]  the labels; not in a cekura.Review
transcript           string
transcript_object    any
voice_recording_url  string
call_end_reason      string
duration             string
source_model         string  `CallLog` or `Run`
source_id            string
created_at           string
updated_at           string
]] },
  { name = "cekura.ReviewProgress", text = "The state of a job of `metrics.run_reviews`.", fields = fields [[
status                     string                 not documented; `wait` reads it
completed                  integer                labels that have been scored
failed                     integer                labels that could not be scored
total                      integer
output                     table                  of a job that is done: the fields below, which `wait` returns at the top
metric                     table                  the metric, with its scores
review_results             cekura.ReviewResult[]  for each label
score                      any                    not documented; of the sandbox: `{ num_correct, num_total, score }`
estimated_cost_per_sample  any                    not documented
]] },
  { name = "cekura.MetricHistory", text = "A version of a metric: the fields of a cekura.Metric, and these.", fields = fields [[
history_id             integer  for `metrics.restore`
history_date           string
history_type           string   `+`: created, `~`: changed, `-`: deleted
history_change_reason  string
history_user           table    `{ id, name, email }`
version_id             string
version_name           string
agents_snapshot        any
]] },
  { name = "cekura.Improvement", text = "The state of an optimiser job, and its proposal.", fields = fields [[
status                         string                 not documented; `wait` reads it
output                         table                  of a job that is done: the fields below, which `wait` returns at the top
improved_metric_description    string
improved_evaluation_trigger    string                 a prompt, code, or `always`: see improved_trigger_kind
improved_trigger_kind          string                 `always`, `llm_judge` or `custom_code`
trigger_type                   string                 `llm_judge` or `custom_code`
type                           string                 the proposed type of the metric
custom_code                    string                 Python, if the proposal is code
estimated_cost_per_sample      any                    not documented
optimization_summary           string                 a summary of the proposal
old_score                      any                    `{ num_correct, num_total, score }`
new_score                      any                    the same for the proposal
review_results                 cekura.ReviewResult[]  for each test set
unresolved_samples             any[]
feedback_edits                 any[]                  feedback that was corrected
unauthorized_label_changes     any[]                  expected values that changed without approval
metric_description_program     any
metric_description_variables   any[]
evaluation_trigger_program     any
evaluation_trigger_variables   any[]
]] },
  { name = "cekura.ReviewResult", text = "The value of the proposed metric for a test set.", fields = fields [[
review_id     integer
test_set_id   integer
actual_value  any
explanation   any
success       boolean
error         string
]] },
  { name = "cekura.Billing", text = "An organization's balance.", fields = fields [[
organization         integer
credits_remaining    number|string
credits_used         number|string  in this billing cycle
initial_balance      number|string
balance_expiry       string
subscription_status  cekura.Subscription
created_at           string
updated_at           string
]] },
  { name = "cekura.Subscription", text = "An organization's subscription.", fields = fields [[
status             string   `active`, `trial`, `expired` or `inactive`
is_active          boolean
is_trial           boolean
pack_name          string
expire_at          string
last_payment_at    string
days_until_expiry  integer  negative after the end
created_at         string
pack               table    its limits: `{ name, max_concurrent_runs_limit, max_concurrent_chat_runs_limit, max_agents_limit, max_members_limit, max_projects_limit, billing_type, subscription_overage }`
]] },
  page("cekura.ResultPage", "cekura.Result", "A page of results."),
  page("cekura.CallLogPage", "cekura.CallLog", "A page of call logs."),
  page("cekura.RunPage", "cekura.Run", "A page of runs."),
  page("cekura.MetricHistoryPage", "cekura.MetricHistory", "A page of versions of a metric."),
}

--- Words of enums that the API accepts and has deprecated: the client accepts them, and the types and
--- the reference leave them out.
manual.deprecated = { basic = true, custom_prompt = true }

--- Of `filters_v2` in `calls.list`.
manual.filter_fields = {
  { "success", "boolean" }, { "duration", "seconds" }, { "timestamp", "date and time" },
  { "created_at", "date and time" }, { "call_id", "string" }, { "call_ended_reason", "string" },
  { "customer_number", "string" },
}

manual.filter_operators = {
  { "eq", "equal" }, { "neq", "not equal" }, { "gt", "greater" }, { "gte", "greater or equal" },
  { "lt", "less" }, { "lte", "less or equal" }, { "contains", "the value is a part of the field" },
  { "startswith", "the field begins with the value" }, { "in", "the field is in a list of values" },
  { "isnull", "whether the field is null" },
}

--- Lua source for a field in an example, with ids of the sandbox's data. An optional field that has
--- no source is left out.
manual.samples = {
  run_id = "5544", metric_id = "55", thumbs_up = "false", expected_value = "2",
  feedback = '"Agent missed the reschedule step"',
  result_id = "373", run_ids = "{ 5543, 5544 }", metric_ids = "{ 55 }",
  result_ids = "{ 372, 373 }", agent_id = "231", call_logs = "{ 70023, 70072 }",
  metrics = "{ 55 }", call_log_id = "70071", page_size = "20",
  timestamp_from = '"2025-01-01T00:00:00Z"', timestamp_to = '"2025-01-31T23:59:59Z"',
  description = '"Did the agent reschedule the visit?"',
  filters_v2 = '{ field = "success", op = "eq", value = false }',
}

--- For a single endpoint; false: none. `value` is that of the example before it, `job` that of
--- process_feedbacks.
manual.own_samples = {
  ["metric_reviews.process_feedbacks_progress"] = { progress_id = "job.progress_id" },
  ["metric_reviews.process_feedbacks_cancel"] = { progress_id = "job.progress_id" },
  ["test_sets.create_from_run"] = {
    metrics = '{ { metric = 55, expected_value = 2, feedback = "Missed the new time" } }' },
  ["test_sets.create_from_call_log"] = { metrics = "{ { metric = 55, expected_value = 3 } }" },
  ["metrics.list"] = { agent_id = "231", slug = '"call_outcome"' },
  ["metrics.run_reviews_progress"] = { progress_id = "value.progress_id" },
  ["metrics.restore"] = { history_id = "value.results[1].history_id" },
  ["metrics.run_reviews"] = { skip_save = "true" },
  ["runs.list"] = { metrics = false },
  ["runs.bulk"] = { result_id = "373" },
}

--- Lua source for what an example does with `value`.
manual.uses = {
  ["runs.mark_metric_vote"] = "print(value.success)",
  ["results.evaluate_metrics"] = "print(value.id, value.status)",
  ["calls.evaluate_metrics"] = "for _, log in ipairs(value) do print(log.id, log.status) end",
  ["metric_reviews.process_feedbacks"] = "local job = value\nprint(job.progress_id)",
  ["metric_reviews.process_feedbacks_progress"] = "print(value.status)",
  ["metric_reviews.process_feedbacks_cancel"] = "print(response.status)",
  ["test_sets.create_from_run"] = "print(value.id, value.source_model, value.source_id)",
  ["test_sets.create_from_call_log"] = "print(value.id, #value.metric_reviews)",
  ["metrics.get"] = "print(value.name, value.description)",
  ["metrics.list"] = "for _, metric in ipairs(value) do print(metric.id, metric.name) end",
  ["metrics.run_reviews"] = "print(value.progress_id)",
  ["metrics.run_reviews_progress"] = "print(value.status, value.completed)",
  ["metrics.history"] =
    "for _, version in ipairs(value.results) do print(version.history_id, version.history_date) end",
  ["metrics.restore"] = "print(value.description)",
  ["metrics.update"] = "print(value.description)",
  ["results.get"] = "for id, run in pairs(value.runs) do print(id, run.status) end",
  ["results.list"] = "for _, result in ipairs(value.results) do print(result.id, result.name) end",
  ["results.create_shareable_link_token"] = "print(value.shareable_link)",
  ["runs.list"] = "for _, run in ipairs(value.results) do print(run.id, run.status) end",
  ["runs.get"] = "for _, metric in ipairs(value.evaluation.metrics) do print(metric.name) end",
  ["runs.bulk"] = "for _, run in ipairs(value) do print(run.id, run.success) end",
  ["calls.get"] = "print(value.transcript)",
  ["calls.list"] = "for _, log in ipairs(value.results) do print(log.id, log.status) end",
  ["calls.mark_metric_vote"] = "print(value.detail)",
  ["billing.info"] = "print(value.credits_remaining)",
}

-- ---- prose ----

manual.uncounted = "The number of evaluations is not known: under `max_evaluations` or `spend_limit` "
  .. "the call is refused unless `evaluations` states it or `uncounted = true` allows it."

manual.options_intro = [[
The options of `cekura.new`, and of a single call, which takes them in its second table. In the last
column `also` marks an option of both, and `only` an option of a single call. An option of a call
overrides the client's, which overrides the environment variable. An empty variable counts as unset.
]]

manual.filters_intro = [[
`filters_v2` is a condition `{ field = …, op = …, value = … }`, or a group of conditions
`{ operator = "and" or "or", conditions = { … } }`. The API's documents name these fields as examples, so
that others may exist. The sandbox supports only the operators `eq` and `gte`. `results.list` has no
such filter.
]]

manual.introduction = [[
This page lists every endpoint with its arguments and its value, and all functions, options and types.
The guides explain how they work together: [calls, errors and retries](guide-calls.md),
[batches](guide-batches.md), [embedding](guide-embedding.md), [testing](guide-testing.md).

A call takes a table of arguments, with path, query and body fields together, and an optional table of
options. It returns `value, response`, or `nil, err`. It raises only for misuse of the language, such
as `.` in place of `:`.

In a signature, `?` marks an optional field, and `|` separates fields of which exactly one is given.
The examples form one script:

```lua
local cekura = require "cekura"
local client = assert(cekura.new())   -- the key comes from CEKURA_API_KEY
```
]]

return manual
