---@meta cekura.core

-- Written by tools/generate.lua (`make generate`): do not edit.

--- JSON's null: `cekura.null`, the same value as `cjson.null`.
---@class cekura.null: lightuserdata

--- A positive whole number up to 2^63-1, or a string of decimal digits.
---@alias cekura.Id integer|string

--- The kind of failure.
---@alias cekura.Kind
---| "config" # the options of `cekura.new` are wrong, or the client is closed
---| "validation" # the arguments are wrong; nothing was sent
---| "budget" # the call would start more evaluations than `max_evaluations` or `spend_limit` permits, or a number that is not known; nothing was sent
---| "authentication" # 401: the key is not accepted
---| "permission" # 403
---| "not_found" # 404
---| "rate_limited" # 429
---| "bad_request" # any other 4xx
---| "server" # 5xx
---| "network" # the connection failed or was lost
---| "timeout" # `timeout`, `connect_timeout` or `deadline` passed
---| "tls" # the secure connection failed, or the certificate is not valid
---| "response" # the response is unreadable, truncated, too large, or a redirect
---| "cancelled" # the caller cancelled the call
---| "failed" # the job that was waited for has failed; `err.last` is its last value
---| "needs_person" # the job that was waited for asks a question; see `err.questions`

--- Whether the server acted on a failed call.
---@alias cekura.Applied
---| "no" # the server did not act on the call
---| "unknown" # it may have acted: check before you send the call again
---| "yes" # it acted, and only its response was lost or unreadable

--- The error of a failed call. `tostring(err)` is one line that says what to do.
---@class cekura.Error
---@field kind cekura.Kind the kind of failure
---@field message string what went wrong
---@field applied cekura.Applied whether the server acted on the call
---@field retryable boolean whether the same call may be sent again without harm, and may succeed then
---@field fields? table<string, string[]> problems by field, or by path (`call_logs[3]`) for `validation` and `config`
---@field status? integer of the response, if there was one
---@field detail? string the response's description of the failure
---@field body? string the body of the response, without the key; 64 KiB at most
---@field retry_after? number seconds to wait before the next call: `Retry-After`, or the rest of a pause after a 429
---@field request_id? string `X-Request-Id` of the response, for support
---@field endpoint? string of the call: `"runs.mark_metric_vote"`
---@field method? string of the call
---@field url? string of the call
---@field attempts? integer how many times it was sent
---@field idempotent? boolean of the call: whether sending it twice has the effect of sending it once
---@field last? any of a wait: the last value
---@field cause? cekura.Error of a wait that timed out: why its last poll failed
---@field questions? any of `needs_person`: the questions, if the job has them
---@field report? cekura.Report of `client:each`

--- The second result of a successful call.
---@class cekura.Response
---@field status integer for example 200
---@field headers table<string, string> by name in lower case
---@field attempts integer how many times the call was sent
---@field elapsed number seconds, all attempts and waits included

--- The argument of `on_event`.
---@class cekura.Event
---@field type "request"|"response"|"deprecated"|"retry"|"give_up" `request`: an attempt begins; `response`: it has ended; `deprecated`: its response has a `Deprecation` or `Sunset` header; `retry`: there will be another attempt; `give_up`: the call has failed
---@field endpoint string `"runs.mark_metric_vote"`
---@field method string `"POST"`
---@field url? string nil once the client is closed
---@field body? string with `event_bodies`: the body that is sent (`request`) or was received (`response`)
---@field attempt integer its number: 1, 2, …
---@field elapsed number seconds since the call began
---@field status? integer of the response, if there was one
---@field kind? cekura.Kind of a failure
---@field applied? cekura.Applied of a failure
---@field wait? number of a `retry`: seconds until the next attempt
---@field deprecation? string of `deprecated`: the `Deprecation` header (RFC 9745), for example `"@1688169599"`
---@field deprecation_at? integer of `deprecated`: its date, in seconds since 1970; nil if it has no readable date
---@field sunset? string of `deprecated`: the `Sunset` header (RFC 8594), which announces the end of the endpoint
---@field sunset_at? integer of `deprecated`: its date, in seconds since 1970; nil if it has no readable date

--- Options of `cekura.new`.
---@class cekura.Options
---@field api_key? string required; sent as `X-CEKURA-API-KEY`; visible ASCII (else `CEKURA_API_KEY`)
---@field api_url? string may have a path prefix and a trailing slash; plain `http` only to a loopback host (else `CEKURA_API_URL`, default: `https://api.cekura.ai`)
---@field allow_http? boolean permits plain `http` to any host: the key then crosses the network in the clear (default: `false`)
---@field timeout? number seconds for one attempt (default: 30)
---@field connect_timeout? number seconds to connect, TLS included (default: 10)
---@field deadline? number seconds for the whole call: all attempts and the waits between them (default: 120)
---@field max_attempts? integer maximum number of attempts; 1: no retry (default: 4)
---@field backoff? { base: number?, cap: number? } seconds before a retry: random, up to `base`, which doubles with each attempt and once more after a 429, and at most `cap` (default: `{ base = 0.5, cap = 20 }`)
---@field max_response_bytes? integer largest response that is read, after decompression (default: 67108864 (64 MiB))
---@field max_evaluations? integer refuses, before it is sent, a call that starts more metric evaluations than this, or a number that is not known exactly (default: no limit)
---@field spend_limit? integer the metric evaluations that all calls of the client together may start: refuses, before it is sent, a call that would exceed it, or a number that is not known exactly (default: no limit)
---@field keep_null? boolean keeps a JSON null in an object as `cekura.null`; otherwise the field is absent (default: `false`)
---@field ca_file? string a file of certificate authorities to trust instead of the system's (else `CEKURA_CA_FILE`, default: the system's)
---@field ca_path? string a folder of certificate authorities to trust instead of the system's, or in addition to `ca_file`; OpenSSL finds them by the names that `openssl rehash` gives them (default: none)
---@field proxy? string the proxy's URL; user name and password are percent-encoded, and never shown. An empty string: no proxy, even if the environment names one (default: `https_proxy` or `all_proxy`, unless `no_proxy` names the host)
---@field headers? table<string, string> additional headers; they cannot replace the client's own (default: `{}`)
---@field user_agent? string the `User-Agent` header (default: `cekura-lua/VERSION`)
---@field on_event? fun(event: cekura.Event) called at each step of each call: see Events. It may close the client, but not use it otherwise (default: none)
---@field event_bodies? boolean adds the bodies of requests and responses to events (default: `false`)

--- Options of a single call; they precede the client's.
---@class cekura.CallOptions
---@field timeout? number seconds for one attempt (default: 30)
---@field deadline? number seconds for the whole call: all attempts and the waits between them (default: 120)
---@field max_attempts? integer maximum number of attempts; 1: no retry (default: 4)
---@field max_evaluations? integer refuses, before it is sent, a call that starts more metric evaluations than this, or a number that is not known exactly (default: no limit)
---@field headers? table<string, string> additional headers; they cannot replace the client's own (default: `{}`)
---@field retry_unknown? boolean retries also if the server may have acted: you may pay twice (default: `false`)
---@field dry_run? boolean sends nothing, and returns what would be sent (default: `false`)
---@field evaluations? integer states how many metric evaluations the call starts, for `max_evaluations` and `spend_limit`; a number below what the arguments prove is ignored (default: what the arguments prove)
---@field uncounted? boolean sends the call under `max_evaluations` or `spend_limit` although its number of metric evaluations is not known (default: `false`)

--- Options of a call that is not sent.
---@class cekura.DryRunOptions
---@field timeout? number seconds for one attempt (default: 30)
---@field deadline? number seconds for the whole call: all attempts and the waits between them (default: 120)
---@field max_attempts? integer maximum number of attempts; 1: no retry (default: 4)
---@field max_evaluations? integer refuses, before it is sent, a call that starts more metric evaluations than this, or a number that is not known exactly (default: no limit)
---@field headers? table<string, string> additional headers; they cannot replace the client's own (default: `{}`)
---@field retry_unknown? boolean retries also if the server may have acted: you may pay twice (default: `false`)
---@field evaluations? integer states how many metric evaluations the call starts, for `max_evaluations` and `spend_limit`; a number below what the arguments prove is ignored (default: what the arguments prove)
---@field uncounted? boolean sends the call under `max_evaluations` or `spend_limit` although its number of metric evaluations is not known (default: `false`)
---@field dry_run true sends nothing, and returns what would be sent

--- The request that a call would send.
---@class cekura.DryRun
---@field method string for example "POST"
---@field url string
---@field headers table<string, string> without the key
---@field body? string the JSON exactly as it would be sent; nil for a GET
---@field evaluations? integer how many metric evaluations it would start; nil if that is not known, or it starts none
---@field evaluations_at_least? true `evaluations` is a lower bound

--- Options of `client:each`.
---@class cekura.EachOptions
---@field concurrency? integer how many items are in flight at once (default: 8)
---@field progress? boolean|fun(numbers: cekura.Progress) `true`: a line on stderr that is redrawn, or a plain line now and then if stderr is not a terminal; a function is called with the numbers instead (default: `false`)
---@field journal? string a file that records which items were started and how they ended; a later run continues from there (default: none)
---@field key? fun(item: any): string|integer names an item in the journal; two items need two keys (default: the item itself)
---@field group? fun(key: string): string? names what a key is about; of the keys of a group only the last one that did not fail counts (default: no groups)
---@field work? string what the journal is for; a journal of other work is refused (default: the script's name)
---@field redo_unknown? boolean repeats items that an earlier run started but did not finish (default: `false`)
---@field stop_on_error? boolean starts no item after one has failed (default: `false`)
---@field collect? boolean keeps the results, in `report.results` (default: `false`)

--- Options of the waits.
---@class cekura.WaitOptions
---@field interval? number seconds between two polls, with 10 % jitter (default: from 1, growing to 15)
---@field timeout? number seconds for the whole wait (default: 1800)
---@field progress? boolean|fun(numbers: cekura.Progress) as for `client:each`: shows how much of the work has ended (default: `false`)
---@field on_poll? fun(value: any, n: integer, err: cekura.Error?) called after each poll, with its value, or with nil and its error (default: none)
---@field headers? table<string, string> additional headers of each poll (default: `{}`)
---@field deadline? number seconds for one poll: its attempts and the waits between them (default: the client's)
---@field max_attempts? integer maximum number of attempts of one poll; further polls follow (default: the client's)

--- Arguments of `client:request`.
---@class cekura.Request
---@field method "GET"|"POST"|"PUT"|"PATCH"|"DELETE"
---@field path string begins with `/` and follows api_url; percent-encoded by the caller, without a query
---@field query? table<string, string|number|boolean|(string|number|boolean)[]> percent-encoded by the client; sent in the order of the names, a list joined by commas
---@field body? any any JSON value; nil: no body
---@field spends_credits? boolean default: true for every method except GET, unless `idempotent` is true
---@field idempotent? boolean whether it may be sent twice; default: true for GET only

--- The evaluations that calls have started.
---@class cekura.Spent
---@field evaluations integer of calls that the server acted on
---@field evaluations_unknown integer of calls that it may have acted on: it has started from `evaluations` to `evaluations` + `evaluations_unknown`, if `uncounted` is 0
---@field calls integer that the server acted on; each attempt of `retry_unknown` counts
---@field calls_unknown integer that it may have acted on
---@field uncounted integer those of both whose number of evaluations is not known exactly; they count what is proven
---@field in_flight integer evaluations that are reserved by calls in flight

--- The outcome of `client:each`.
---@class cekura.Report
---@field ok integer items that succeeded
---@field failed integer items that failed without effect
---@field skipped integer items that an earlier run finished
---@field unknown integer items that failed or were cancelled, and may have had an effect
---@field spent cekura.Spent what the items have spent in this run; `in_flight` is 0
---@field errors { index: integer, item: any, key: string?, error: any }[] one for each failed or unknown item, by index
---@field results? any[] with `collect`: the first result of the function for each item, by index

--- The progress of `client:each` or a wait.
---@class cekura.Progress
---@field done integer ok, failed, skipped and unknown together
---@field total? integer if the source is a list
---@field ok integer
---@field failed integer
---@field skipped integer
---@field unknown integer
---@field running integer items in flight
---@field elapsed number seconds
---@field rate number items per second, without those that were skipped
---@field left? number seconds, estimated
---@field spent? cekura.Spent of `client:each`: what the items have spent so far; `in_flight` of their own calls only
---@field pause? number seconds until calls are sent again after a 429
---@field waiting? boolean true in a wait, whose `rate` is meaningless
---@field problem? string in a wait: the kind of the error of the last poll, if it failed

--- A result: a test run of an agent, with its runs.
---@class cekura.Result
---@field id? integer
---@field name? string
---@field agent? integer the agent that was tested
---@field agent_name? string
---@field agent_inbound? boolean whether the agent takes calls; only in `results.list`
---@field agent_version? any
---@field status? string `running`, `completed`, `failed`, `pending`, `in_progress`, `evaluating`, `in_queue`, `timeout`, `cancelled` or `scaling_up`
---@field success_rate? number 0.0 to 1.0
---@field run_as_text? boolean whether it tested text instead of voice
---@field is_cronjob? boolean|string whether a schedule started it
---@field run_type? string
---@field runs? table summaries of the runs; in `results.get` the runs (cekura.Run) by their ids as strings
---@field scenarios? table `{ id, name }` of each scenario
---@field met_expected_outcome_count? integer|string runs that met their expected outcome
---@field total_expected_outcome_count? integer|string runs that have one
---@field total_runs_count? integer|string
---@field completed_runs_count? integer|string
---@field success_runs_count? integer|string
---@field failed_runs_count? integer|string
---@field created_at? string
---@field updated_at? string
---@field overall_evaluation? any the metrics over all runs; this and all following fields only in `results.get`
---@field total_duration? string MM:SS
---@field connected_runs? any ids of the runs that connected
---@field not_connected_runs? any ids of those that did not
---@field failed_infrastructure_runs? any ids of runs with an infrastructure issue
---@field failed_workflow_runs? any ids of runs that missed their expected outcome
---@field successful_calls? any ids of the runs that succeeded
---@field critical_categories? any
---@field metrics? any
---@field runs_by_tags? any
---@field latency_data? any
---@field failed_reasons? any `{ issues, total_failed_runs }`
---@field ai_summary? any
---@field ai_summary_status? string
---@field next_steps? any
---@field path_coverage? any the critical paths that runs took or missed
---@field performance_metrics? any by rule of the project's rubric
---@field run_settings? any the settings that it was started with

--- A simulated call of a result.
---@class cekura.Run
---@field id? integer
---@field result_id? integer
---@field result_name? string
---@field agent? integer
---@field agent_name? string
---@field agent_version? any
---@field scenario? integer
---@field scenario_name? string
---@field scenario_type? string
---@field scenario_instructions? string
---@field personality? integer
---@field personality_name? string
---@field test_profile_data? table `{ id, name, information }`
---@field test_profile_name? string only in `runs.list`
---@field status? string as in a cekura.Result
---@field success? boolean whether it passed its evaluation
---@field evaluation_status? string `success`, `failure`, `reviewed_success` or `reviewed_failure`
---@field evaluation? cekura.Evaluation not in `runs.list`
---@field metrics? cekura.MetricEntry[] only in `runs.list`
---@field expected_outcome? any how far the expected outcome was met
---@field expected_outcome_prompt? string
---@field rubric? any
---@field critical_categories? table[] `{ category_id, category, deviation, wrongly_marked, feedback, priority }`
---@field is_reviewed? boolean
---@field feedback? string
---@field transcript? string
---@field transcript_object? cekura.Turn[]
---@field duration? string MM:SS
---@field voice_recording_url? string
---@field testing_channel_index? integer the testing agent's channel in the recording
---@field error_message? string why it failed to connect
---@field metadata? any
---@field timestamp? string
---@field executed_at? string
---@field run_as_text? boolean
---@field run_type? string
---@field provider_call_id? string the call's id at the agent's provider
---@field provider_call_details? any
---@field trace_id? string
---@field email_id? string
---@field agent_number? string
---@field inbound_number? string
---@field outbound_number? string
---@field generated_mock_tool_entries? table[] `{ tool_id, tool_name, new_entry }`
---@field mocked_tool_names? string[]
---@field outbound_dial_window_opens_at? string
---@field outbound_dial_window_closes_at? string
---@field outbound_dial_window_seconds? number|string

--- The log of a production call.
---@class cekura.CallLog
---@field id? integer
---@field call_id? string the call's id at the agent's provider
---@field agent? integer
---@field agent_id? integer|string only in `calls.get`
---@field agent_name? string
---@field project? integer only in `calls.get`
---@field timestamp? string when the call took place
---@field duration? string MM:SS
---@field success? boolean absent until the call has been evaluated
---@field status? string `success`, `failure`, `reviewed_success` or `reviewed_failure`
---@field is_reviewed? boolean
---@field feedback? string
---@field metrics? cekura.MetricEntry[] not in `calls.get`
---@field evaluation? cekura.Evaluation|string in `calls.get` the values of the metrics
---@field rubric? any only in `calls.get`
---@field critical_categories? table[] only in `calls.get`; as in a cekura.Run
---@field transcript? string
---@field transcript_object? cekura.Turn[]|string
---@field user_generated_transcript? any only in `calls.get`: a corrected transcript
---@field voice_recording_url? string only in `calls.get`
---@field testing_channel_index? integer only in `calls.get`
---@field call_ended_reason? string `customer-ended-call` and the like
---@field customer_number? string
---@field dropoff_point? string
---@field topic? string
---@field trace_id? string
---@field error_message? string
---@field metadata? table only in `calls.get`
---@field dynamic_variables? table only in `calls.get`
---@field created_at? string
---@field updated_at? string

--- The values of the metrics for a run or a call log.
---@class cekura.Evaluation
---@field metrics? cekura.MetricEntry[]

--- A metric's value as the API encodes it; `cekura.values` reads it.
---@class cekura.MetricEntry
---@field id? integer of the metric
---@field name? string of the metric
---@field type? string `binary`, `continuous_qualitative`, `numeric` or `enum`
---@field eval_type? string the same; only in version 2 of the API
---@field score? number|boolean unless the metric is an enum; of a binary metric true or false, or 5 or 0; absent if the metric did not apply
---@field passed? boolean of a binary metric; only in version 2 of the API
---@field enum? string the value of an enum
---@field value? string the value of an enum
---@field explanation? string[] not in lists
---@field extra? table not in lists

--- The value of a metric for a run or a call log, as `cekura.values` returns it.
---@class cekura.MetricValue
---@field id? integer of the metric
---@field name? string of the metric
---@field kind? "binary"|"number"|"enum" nil if the response has neither a known type nor a value
---@field value? boolean|number|string true or false of a binary metric, a number, or the text of an enum; nil if `applies` is false, or if the value cannot be read for its kind
---@field applies boolean whether the response has a value
---@field explanation? string[] as in the response

--- The size and the price of a call before it is sent, as `cekura.estimate` returns it.
---@class cekura.Estimate
---@field evaluations? integer metric evaluations; nil if nothing bounds them
---@field exact boolean whether the call starts just as many; otherwise `evaluations` is an upper bound
---@field evaluations_at_least? true `evaluations` is a lower bound
---@field credits? number an estimate of what `evaluations` cost
---@field unknown_metrics integer[] metrics whose price the API does not name; 0.2 credits for each conversation are assumed

--- One turn of a transcript.
---@class cekura.Turn
---@field role? string
---@field content? string
---@field timestamp? number seconds
---@field start_time? number seconds
---@field end_time? number seconds
---@field normalized_content? string only in a run
---@field comparison_spans? any[] only in a run

--- A metric: a prompt or code that gives each call a value.
---@class cekura.Metric
---@field id? integer
---@field slug? string
---@field name? string
---@field description? string
---@field type? string `llm_judge` or `custom_code`; older metrics may have another
---@field eval_type? string `binary`, `continuous_qualitative`, `numeric` or `enum`
---@field enum_values? string[]
---@field prompt? string
---@field custom_code? string Python
---@field evaluation_trigger? string `always`, `automatic` or `custom`
---@field trigger_type? string `llm_judge` or `custom_code`
---@field evaluation_trigger_prompt? string
---@field evaluation_trigger_custom_code? string Python
---@field project? integer
---@field agents? integer[]
---@field agent_names? string only in `metrics.list`
---@field configuration? any
---@field audio_enabled? boolean
---@field simulation_enabled? boolean
---@field observability_enabled? boolean
---@field sampling_enabled? boolean
---@field add_to_new_agents? boolean
---@field display_order? integer only in `metrics.list`
---@field metric_cost? number only in `metrics.list`
---@field uses_llm_judge? boolean|string only in `metrics.list`
---@field kb_file_ids? integer[] only in `metrics.list`
---@field reviews? cekura.Review[] of the Lab; not in `metrics.list`
---@field pending_optimisation_proposal? any an unsaved proposal of a scheduled optimiser run; not in `metrics.list`
---@field overall_score? string over all test sets
---@field total_score? string
---@field priority_assignment_prompt? string
---@field knowledge_base_files? string
---@field function_name? string of a predefined metric
---@field vocera_defined_metric_code? string of a predefined metric
---@field scenarios? any
---@field alert_enabled? boolean not in `metrics.list`
---@field alert_type? string `disabled`, `normal` or `significant_change`
---@field alert_filters? any
---@field slack_workspace? integer
---@field slack_channel_id? string
---@field significant_change_alert_status? string `enabled` or `disabled`
---@field significant_change_alert_direction? string `increase`, `decrease`, or empty for both
---@field window_size? integer
---@field std_multiplier? number
---@field ewma_alpha? number

--- A reviewer's feedback on a metric's value.
---@class cekura.Review
---@field id? integer
---@field metric? integer
---@field test_set? cekura.TestSet not in `metric_reviews` of a cekura.TestSet
---@field expected_value? any
---@field actual_value? any not in `metric_reviews`
---@field explanation? any
---@field feedback? string
---@field created_at? string not in `metric_reviews`
---@field updated_at? string not in `metric_reviews`
---@field metric_name? string this and all following fields only in `metric_reviews`
---@field eval_type? string
---@field metric_enum_values? any
---@field metric_function_name? string
---@field metric_vocera_defined_metric_code? string

--- A call in the Lab of metrics.
---@class cekura.TestSet
---@field id? integer
---@field agent? integer
---@field name? string
---@field metric_reviews? cekura.Review[] the labels; not in a cekura.Review
---@field transcript? string
---@field transcript_object? any
---@field voice_recording_url? string
---@field call_end_reason? string
---@field duration? string
---@field source_model? string `CallLog` or `Run`
---@field source_id? string
---@field created_at? string
---@field updated_at? string

--- The state of a job of `metrics.run_reviews`.
---@class cekura.ReviewProgress
---@field status? string not documented; `wait` reads it
---@field completed? integer labels that have been scored
---@field failed? integer labels that could not be scored
---@field total? integer
---@field output? table of a job that is done: the fields below, which `wait` returns at the top
---@field metric? table the metric, with its scores
---@field review_results? cekura.ReviewResult[] for each label
---@field score? any not documented; of the sandbox: `{ num_correct, num_total, score }`
---@field estimated_cost_per_sample? any not documented

--- A version of a metric: the fields of a cekura.Metric, and these.
---@class cekura.MetricHistory
---@field history_id? integer for `metrics.restore`
---@field history_date? string
---@field history_type? string `+`: created, `~`: changed, `-`: deleted
---@field history_change_reason? string
---@field history_user? table `{ id, name, email }`
---@field version_id? string
---@field version_name? string
---@field agents_snapshot? any

--- The state of an optimiser job, and its proposal.
---@class cekura.Improvement
---@field status? string not documented; `wait` reads it
---@field output? table of a job that is done: the fields below, which `wait` returns at the top
---@field improved_metric_description? string
---@field improved_evaluation_trigger? string a prompt, code, or `always`: see improved_trigger_kind
---@field improved_trigger_kind? string `always`, `llm_judge` or `custom_code`
---@field trigger_type? string `llm_judge` or `custom_code`
---@field type? string the proposed type of the metric
---@field custom_code? string Python, if the proposal is code
---@field estimated_cost_per_sample? any not documented
---@field optimization_summary? string a summary of the proposal
---@field old_score? any `{ num_correct, num_total, score }`
---@field new_score? any the same for the proposal
---@field review_results? cekura.ReviewResult[] for each test set
---@field unresolved_samples? any[]
---@field feedback_edits? any[] feedback that was corrected
---@field unauthorized_label_changes? any[] expected values that changed without approval
---@field metric_description_program? any
---@field metric_description_variables? any[]
---@field evaluation_trigger_program? any
---@field evaluation_trigger_variables? any[]

--- The value of the proposed metric for a test set.
---@class cekura.ReviewResult
---@field review_id? integer
---@field test_set_id? integer
---@field actual_value? any
---@field explanation? any
---@field success? boolean
---@field error? string

--- An organization's balance.
---@class cekura.Billing
---@field organization? integer
---@field credits_remaining? number|string
---@field credits_used? number|string in this billing cycle
---@field initial_balance? number|string
---@field balance_expiry? string
---@field subscription_status? cekura.Subscription
---@field created_at? string
---@field updated_at? string

--- An organization's subscription.
---@class cekura.Subscription
---@field status? string `active`, `trial`, `expired` or `inactive`
---@field is_active? boolean
---@field is_trial? boolean
---@field pack_name? string
---@field expire_at? string
---@field last_payment_at? string
---@field days_until_expiry? integer negative after the end
---@field created_at? string
---@field pack? table its limits: `{ name, max_concurrent_runs_limit, max_concurrent_chat_runs_limit, max_agents_limit, max_members_limit, max_projects_limit, billing_type, subscription_overage }`

--- A page of results.
---@class cekura.ResultPage
---@field count? integer the number of items; absent with `include_count = false`, and not reliable
---@field next? string the address of the next page; absent on the last page
---@field previous? string the address of the previous page
---@field results? cekura.Result[]

--- A page of call logs.
---@class cekura.CallLogPage
---@field count? integer the number of items; absent with `include_count = false`, and not reliable
---@field next? string the address of the next page; absent on the last page
---@field previous? string the address of the previous page
---@field results? cekura.CallLog[]

--- A page of runs.
---@class cekura.RunPage
---@field count? integer the number of items; absent with `include_count = false`, and not reliable
---@field next? string the address of the next page; absent on the last page
---@field previous? string the address of the previous page
---@field results? cekura.Run[]

--- A page of versions of a metric.
---@class cekura.MetricHistoryPage
---@field count? integer the number of items; absent with `include_count = false`, and not reliable
---@field next? string the address of the next page; absent on the last page
---@field previous? string the address of the previous page
---@field results? cekura.MetricHistory[]

---@class (exact) cekura.runs.mark_metric_vote.Arguments
---@field run_id cekura.Id the run whose verdict is voted on
---@field metric_id cekura.Id the metric whose verdict is voted on
---@field thumbs_up boolean|cekura.null true: the metric was right; false: it was wrong
---@field expected_value any the value that the metric should have given
---@field feedback? string|cekura.null why, in the reviewer's words

---@class (exact) cekura.runs.get.Arguments
---@field run_id cekura.Id the run

---@alias cekura.runs.list.status
---| "running"
---| "completed"
---| "failed"
---| "pending"
---| "in_progress"
---| "evaluating"
---| "in_queue"
---| "timeout"
---| "cancelled"
---| "scaling_up"

---@alias cekura.runs.list.status__in
---| "running"
---| "completed"
---| "failed"
---| "pending"
---| "in_progress"
---| "evaluating"
---| "in_queue"
---| "timeout"
---| "cancelled"
---| "scaling_up"

---@class (exact) cekura.runs.list.Arguments
---@field agent_id? cekura.Id only runs of this agent
---@field project_id? cekura.Id only runs of this project
---@field result_id? cekura.Id only runs of this result
---@field assistant_id? string only runs of this assistant, by the provider's id
---@field id? string only the run with this id
---@field id__in? cekura.Id[] only these runs (at least 1)
---@field id__contains? integer only runs with these digits in their id
---@field status? cekura.runs.list.status only runs with this status
---@field status__in? cekura.runs.list.status__in[] only runs with one of these statuses (at least 1)
---@field success? boolean true: only runs that passed their evaluation; false: only others
---@field success_rate? number only runs with this success rate
---@field search? string only runs with this text
---@field timestamp__gte? string only runs from this time on
---@field timestamp__lte? string only runs up to this time
---@field created_at_from? string only runs created from this time on
---@field created_at_to? string only runs created up to this time
---@field created_at_range? string only runs created in this range
---@field duration__gte? number only runs that took at least these seconds
---@field duration__lte? number only runs that took at most these seconds
---@field duration_range? string only runs that took a time in this range
---@field call_id? string only the run with this id at the agent's provider
---@field call_id__icontains? string only runs with this in that id, in any case of letters
---@field provider_call_id? string only the run with this call id of the provider
---@field provider_call_id__icontains? string only runs with this in that id, in any case of letters
---@field call_ended_reason? string only runs that ended for this reason
---@field call_ended_reason__icontains? string only runs with this in that reason, in any case of letters
---@field call_ended_reason__in? string only runs that ended for one of these reasons, joined by commas
---@field result__id? cekura.Id only runs of this result
---@field result__agent_id? cekura.Id only runs of results of this agent
---@field result__agent_id__in? cekura.Id[] only runs of results of these agents (at least 1)
---@field result__run_as_text? boolean true: only runs in text; false: only runs in voice
---@field scenario__id? cekura.Id only runs of this scenario
---@field scenario__id__in? cekura.Id[] only runs of these scenarios (at least 1)
---@field scenarios? string only runs of these scenarios, ids joined by commas
---@field personality__id? cekura.Id only runs with this personality
---@field personality__id__in? cekura.Id[] only runs with these personalities (at least 1)
---@field personalities? string only runs with these personalities, ids joined by commas
---@field tags? string only runs with these tags, joined by commas
---@field metrics? string only runs with these metrics, ids joined by commas
---@field page? integer the number of the page, from 1
---@field page_size? integer the number of items per page
---@field include_count? boolean false: the page has no `count`
---@field ql? string the fields of each item, such as {id,status} or {id,metadata{ended_reason}}

---@class (exact) cekura.runs.bulk.Arguments
---@field run_ids cekura.Id[] the runs (at least 1)
---@field agent_id? cekura.Id the scope: the agent of the runs
---@field result_id? cekura.Id the scope: the result of the runs
---@field project_id? cekura.Id the scope: the project of the runs

---@class cekura.runs
local runs = {}

--- Votes on a metric's verdict for a run, and marks the run as reviewed.
---
--- `POST /test_framework/v1/runs/{run_id}/mark_metric_vote/`
---@param arguments cekura.runs.mark_metric_vote.Arguments
---@param options? cekura.CallOptions
---@return { success: boolean }? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.runs, arguments: cekura.runs.mark_metric_vote.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function runs:mark_metric_vote(arguments, options) end

--- Reads a run: its transcript and each metric's verdict.
---
--- `GET /test_framework/v2/runs/{run_id}/`
---@param arguments cekura.runs.get.Arguments
---@param options? cekura.CallOptions
---@return cekura.Run? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.runs, arguments: cekura.runs.get.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function runs:get(arguments, options) end

--- Lists runs, a page at a time.
---
--- `GET /test_framework/v2/runs/`
---@param arguments cekura.runs.list.Arguments
---@param options? cekura.CallOptions
---@return cekura.RunPage? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.runs, arguments: cekura.runs.list.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function runs:list(arguments, options) end

--- Reads several runs with one request.
---
--- `GET /test_framework/v2/runs/bulk/`
---@param arguments cekura.runs.bulk.Arguments
---@param options? cekura.CallOptions
---@return cekura.Run[]? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.runs, arguments: cekura.runs.bulk.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function runs:bulk(arguments, options) end

--- Iterates over all runs.
---@param arguments cekura.runs.list.Arguments as of `list`; `ql` must select id
---@param options? cekura.CallOptions of each call
---@return fun(): cekura.Run? next raises if a page fails
function runs:pages(arguments, options) end

---@class (exact) cekura.results.evaluate_metrics.Arguments
---@field result_id cekura.Id the result that the runs belong to
---@field run_ids cekura.Id[] the runs to evaluate again (at least 1)
---@field metric_ids cekura.Id[] the metrics to evaluate them with (at least 1)

---@class (exact) cekura.results.bulk_evaluate_metrics.Arguments
---@field result_ids cekura.Id[] the results whose completed and failed runs are evaluated again (1 to 100 of them)
---@field metric_ids cekura.Id[] the metrics to evaluate them with (at least 1)

---@class (exact) cekura.results.get.Arguments
---@field result_id cekura.Id the result

---@class (exact) cekura.results.list.Arguments
---@field agent_id? cekura.Id only results of this agent
---@field project_id? cekura.Id only results of this project
---@field assistant_id? string only results of this assistant, by the provider's id
---@field search? string only results with this in their name
---@field scenarios? cekura.Id[] only results of these scenarios; a result with several runs of a scenario may be listed several times (at least 1)
---@field page? integer the number of the page, from 1
---@field page_size? integer the number of items per page
---@field include_count? boolean false: the page has no `count`
---@field ql? string the fields of each item, such as {id,status} or {id,metadata{ended_reason}}

---@class (exact) cekura.results.create_shareable_link_token.Arguments
---@field result_id cekura.Id the result
---@field expire_at? string|cekura.null when the link ends; null or absent: it does not end

---@class cekura.results
local results = {}

--- Evaluates metrics again on runs of one result, in the background.
---
--- `POST /test_framework/v1/results/{result_id}/evaluate_metrics/`; spends credits
---@param arguments cekura.results.evaluate_metrics.Arguments
---@param options? cekura.CallOptions
---@return cekura.Result? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.results, arguments: cekura.results.evaluate_metrics.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function results:evaluate_metrics(arguments, options) end

--- Evaluates metrics again on every finished run of up to 100 results, in the background.
---
--- `POST /test_framework/v1/results/bulk_evaluate_metrics/`; spends credits
---@param arguments cekura.results.bulk_evaluate_metrics.Arguments
---@param options? cekura.CallOptions
---@return true? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.results, arguments: cekura.results.bulk_evaluate_metrics.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function results:bulk_evaluate_metrics(arguments, options) end

--- Reads a result with its runs.
---
--- `GET /test_framework/v2/results/{result_id}/`
---@param arguments cekura.results.get.Arguments
---@param options? cekura.CallOptions
---@return cekura.Result? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.results, arguments: cekura.results.get.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function results:get(arguments, options) end

--- Lists results, a page at a time. There is no filter by status.
---
--- `GET /test_framework/v2/results/`
---@param arguments cekura.results.list.Arguments
---@param options? cekura.CallOptions
---@return cekura.ResultPage? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.results, arguments: cekura.results.list.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function results:list(arguments, options) end

--- Creates a link with which anybody can read a result; each call creates another.
---
--- `POST /test_framework/v2/results/{result_id}/create_shareable_link_token/`
---@param arguments cekura.results.create_shareable_link_token.Arguments
---@param options? cekura.CallOptions
---@return { token: string, shareable_link: string }? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.results, arguments: cekura.results.create_shareable_link_token.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function results:create_shareable_link_token(arguments, options) end

--- Iterates over all results, a page at a time: `for result in client.results:pages{…}`.
---@param arguments cekura.results.list.Arguments as of `list`; `ql` must select id
---@param options? cekura.CallOptions of each call
---@return fun(): cekura.Result? next raises if a page fails
function results:pages(arguments, options) end

--- Waits until a result has ended. `after` is the result as it was before the evaluation, for example of `results.get`: a status from then does not end the wait.
---@param arguments { result_id: cekura.Id, after: cekura.Result? } `{ result_id, after? }`
---@param options? cekura.WaitOptions
---@return cekura.Result? result
---@return cekura.Response|cekura.Error response_or_err
function results:wait(arguments, options) end

---@class (exact) cekura.calls.evaluate_metrics.Arguments
---@field agent_id? cekura.Id the agent whose call logs and metrics these are (exactly one of agent_id, project_id)
---@field project_id? cekura.Id the project whose call logs and metrics these are (exactly one of agent_id, project_id)
---@field call_logs cekura.Id[] the call logs to evaluate
---@field metrics cekura.Id[] the metrics to evaluate them with

---@class (exact) cekura.calls.get.Arguments
---@field call_log_id cekura.Id the call log; not its call_id, which is the provider's

---@class (exact) cekura.calls.list.Arguments
---@field agent_id? cekura.Id only calls of this agent; give this or project_id
---@field project_id? cekura.Id only calls of this project; an organization's key needs it
---@field timestamp_from? string only calls from this time on; without a range, the calls of the last 30 days
---@field timestamp_to? string only calls up to this time; at most 33 days after timestamp_from
---@field call_ids? cekura.Id[] only these call logs, by their own ids (at least 1)
---@field assistant_id? string only calls of this assistant, by the provider's id
---@field filters_v2? table<string, any>|string a filter in the dashboard's form: { field, op, value }, or { operator = "and" or "or", conditions }
---@field page? integer the number of the page, from 1
---@field page_size? integer the number of items per page
---@field include_count? boolean false: the page has no `count`
---@field ql? string the fields of each item, such as {id,status} or {id,metadata{ended_reason}}

---@class (exact) cekura.calls.mark_metric_vote.Arguments
---@field call_log_id cekura.Id the call log whose verdict is voted on
---@field metric_id cekura.Id the metric whose verdict is voted on
---@field thumbs_up boolean|cekura.null true: the metric was right; false: it was wrong
---@field expected_value any the value that the metric should have given
---@field feedback? string|cekura.null why, in the reviewer's words

---@class cekura.calls
local calls = {}

--- Evaluates metrics on production call logs, in the background.
---
--- `POST /observability/v1/call-logs/evaluate_metrics/`; spends credits
---@param arguments cekura.calls.evaluate_metrics.Arguments
---@param options? cekura.CallOptions
---@return cekura.CallLog[]? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.calls, arguments: cekura.calls.evaluate_metrics.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function calls:evaluate_metrics(arguments, options) end

--- Reads the log of a production call: its transcript and each metric's verdict.
---
--- `GET /observability/v2/call-logs/{call_log_id}/`
---@param arguments cekura.calls.get.Arguments
---@param options? cekura.CallOptions
---@return cekura.CallLog? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.calls, arguments: cekura.calls.get.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function calls:get(arguments, options) end

--- Lists logs of production calls of at most 33 days, a page at a time.
---
--- `GET /observability/v2/call-logs/`
---@param arguments cekura.calls.list.Arguments
---@param options? cekura.CallOptions
---@return cekura.CallLogPage? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.calls, arguments: cekura.calls.list.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function calls:list(arguments, options) end

--- Votes on a metric's verdict for a production call, and marks the call as reviewed.
---
--- `POST /observability/v1/call-logs/{call_log_id}/mark_metric_vote/`
---@param arguments cekura.calls.mark_metric_vote.Arguments
---@param options? cekura.CallOptions
---@return { detail: string }? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.calls, arguments: cekura.calls.mark_metric_vote.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function calls:mark_metric_vote(arguments, options) end

--- Iterates over all call logs. A range of more than 33 days is read in windows.
---@param arguments cekura.calls.list.Arguments as of `list`, without `page` if the range is longer than 33 days; `ql` must select id
---@param options? cekura.CallOptions of each call
---@return fun(): cekura.CallLog? next raises if a page fails
function calls:pages(arguments, options) end

--- Waits until each call log has a new value of each metric.
---@param arguments { call_logs: cekura.CallLog[], metrics: cekura.Id[] } the value that `evaluate_metrics` returned, and its argument `metrics`
---@param options? cekura.WaitOptions
---@return cekura.CallLog[]? call_logs
---@return cekura.Response|cekura.Error response_or_err
function calls:wait(arguments, options) end

---@alias cekura.metric_reviews.process_feedbacks.metric_type
---| "custom_code"
---| "llm_judge"

---@class (exact) cekura.metric_reviews.process_feedbacks.Arguments
---@field metric_id cekura.Id the metric to improve
---@field metric_type? cekura.metric_reviews.process_feedbacks.metric_type the metric's type
---@field test_set_ids? cekura.Id[] the test sets whose feedback is used; by default all in the metric's Lab
---@field simplified_prompt? string the prompt to start from, in place of the metric's description
---@field skip_evaluation? boolean true: do not evaluate the test sets afterwards; faster, but without scores

---@class (exact) cekura.metric_reviews.process_feedbacks_progress.Arguments
---@field progress_id string the id that process_feedbacks returned
---@field agent_id? cekura.Id the metric's agent, for a key that is limited to the agent
---@field project_id? cekura.Id the metric's project, for a key that is limited to the project

---@class (exact) cekura.metric_reviews.process_feedbacks_cancel.Arguments
---@field progress_id string the id that process_feedbacks returned

---@class cekura.metric_reviews
local metric_reviews = {}

--- Improves a metric from reviewers' feedback, in the background.
---
--- `POST /test_framework/metric-reviews/process_feedbacks/`; spends credits
---@param arguments cekura.metric_reviews.process_feedbacks.Arguments
---@param options? cekura.CallOptions
---@return { progress_id: string }? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.metric_reviews, arguments: cekura.metric_reviews.process_feedbacks.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function metric_reviews:process_feedbacks(arguments, options) end

--- Reads the progress of a metric's improvement.
---
--- `GET /test_framework/metric-reviews/process_feedbacks_progress/`
---@param arguments cekura.metric_reviews.process_feedbacks_progress.Arguments
---@param options? cekura.CallOptions
---@return cekura.Improvement? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.metric_reviews, arguments: cekura.metric_reviews.process_feedbacks_progress.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function metric_reviews:process_feedbacks_progress(arguments, options) end

--- Cancels the improvement of a metric, for example to start it again with corrected labels.
---
--- `POST /test_framework/metric-reviews/process_feedbacks_cancel/`
---@param arguments cekura.metric_reviews.process_feedbacks_cancel.Arguments
---@param options? cekura.CallOptions
---@return any? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.metric_reviews, arguments: cekura.metric_reviews.process_feedbacks_cancel.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function metric_reviews:process_feedbacks_cancel(arguments, options) end

--- Waits until the optimiser proposes an improvement. The fields of `output` and of `output.meta_harness` are also fields of the value.
---@param arguments cekura.metric_reviews.process_feedbacks_progress.Arguments `{ progress_id, agent_id?, project_id? }`
---@param options? cekura.WaitOptions
---@return cekura.Improvement? improvement
---@return cekura.Response|cekura.Error response_or_err
function metric_reviews:wait(arguments, options) end

---@class (exact) cekura.test_sets.create_from_run.Arguments
---@field run_id cekura.Id the run, which must be completed
---@field metrics { metric: cekura.Id, expected_value?: any, feedback?: string }[] the metrics whose Lab gets the run, each with its label: { metric, expected_value?, feedback? } (at least 1)
---@field name? string the name of the test set; by default the id of the run
---@field project? cekura.Id the project of the run

---@class (exact) cekura.test_sets.create_from_call_log.Arguments
---@field call_log_id cekura.Id the call log
---@field metrics { metric: cekura.Id, expected_value?: any, feedback?: string }[] the metrics whose Lab gets the call log, each with its label: { metric, expected_value?, feedback? } (at least 1)
---@field name? string the name of the test set; by default the id of the call log
---@field project? cekura.Id the project of the call log

---@class cekura.test_sets
local test_sets = {}

--- Labels a completed run and puts it into the Lab of each metric, from which process_feedbacks and run_reviews read.
---
--- `POST /test_framework/test-sets/create_from_run/`
---@param arguments cekura.test_sets.create_from_run.Arguments
---@param options? cekura.CallOptions
---@return cekura.TestSet? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.test_sets, arguments: cekura.test_sets.create_from_run.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function test_sets:create_from_run(arguments, options) end

--- Labels a call log and puts it into the Lab of each metric, from which process_feedbacks and run_reviews read.
---
--- `POST /test_framework/test-sets/create_from_call_log/`
---@param arguments cekura.test_sets.create_from_call_log.Arguments
---@param options? cekura.CallOptions
---@return cekura.TestSet? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.test_sets, arguments: cekura.test_sets.create_from_call_log.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function test_sets:create_from_call_log(arguments, options) end

---@class (exact) cekura.metrics.get.Arguments
---@field metric_id cekura.Id the metric

---@class (exact) cekura.metrics.list.Arguments
---@field agent_id? cekura.Id only metrics of this agent
---@field project_id? cekura.Id only metrics of this project
---@field assistant_id? string only metrics of this assistant, by the provider's id
---@field agents? cekura.Id[] only metrics of these agents (at least 1)
---@field slug? string only the metric with this slug
---@field filters? table<string, any>|string a filter: { field, op, value }, or { operator = "and" or "or", conditions }
---@field include_scores? boolean whether the metrics have overall_score and total_score

---@alias cekura.metrics.update.type
---| "custom_code"
---| "llm_judge"

---@alias cekura.metrics.update.eval_type
---| "binary"
---| "continuous_qualitative"
---| "numeric"
---| "enum"

---@alias cekura.metrics.update.evaluation_trigger
---| "always"
---| "automatic"
---| "custom"

---@alias cekura.metrics.update.trigger_type
---| "llm_judge"
---| "custom_code"

---@alias cekura.metrics.update.llm_provider
---| "openai"
---| "gemini"
---| "dspy-gepa-gemini-flash"
---| "deepseek-v4-flash"

---@alias cekura.metrics.update.relevance_llm_provider
---| "openai"
---| "gemini"
---| "dspy-gepa-gemini-flash"
---| "deepseek-v4-flash"

---@alias cekura.metrics.update.alert_type
---| "disabled"
---| "normal"
---| "significant_change"

---@alias cekura.metrics.update.significant_change_alert_status
---| "enabled"
---| "disabled"

---@alias cekura.metrics.update.significant_change_alert_direction
---| ""
---| "increase"
---| "decrease"

---@class (exact) cekura.metrics.update.Arguments
---@field metric_id cekura.Id the metric
---@field name? string its name
---@field slug? string|cekura.null its name in URLs, in snake_case
---@field description? string what it evaluates
---@field type? cekura.metrics.update.type its type
---@field prompt? string the prompt that it evaluates with
---@field custom_code? string Python for the type custom_code, which sets _result and _explanation
---@field eval_type? cekura.metrics.update.eval_type the type of its values
---@field enum_values? string[] the values of an enum metric
---@field evaluation_trigger? cekura.metrics.update.evaluation_trigger when it runs: on every call, as the platform decides, or by its own trigger (custom)
---@field trigger_type? cekura.metrics.update.trigger_type whether a custom trigger is a prompt or code
---@field evaluation_trigger_prompt? string the prompt of a custom trigger
---@field evaluation_trigger_custom_code? string the code of a custom trigger, in Python
---@field audio_enabled? boolean whether the judge listens to the recording
---@field simulation_enabled? boolean whether it runs on simulations
---@field observability_enabled? boolean whether it runs on production calls
---@field sampling_enabled? boolean whether it runs on a sample only, at the project's rate
---@field add_to_new_agents? boolean|cekura.null whether new agents of the project get it
---@field add_to_rubric? boolean whether the project's rubric of call success has it
---@field configuration? any settings of some predefined metrics
---@field display_order? integer its position in lists of metrics
---@field priority_assignment_prompt? string the prompt that assigns a priority to a failure
---@field llm_provider? cekura.metrics.update.llm_provider the provider of its judge
---@field relevance_llm_provider? cekura.metrics.update.relevance_llm_provider the provider of the judge of its trigger
---@field kb_file_ids? any a list of the ids of its knowledge base files
---@field scenarios? any "all", or a list of the ids of its scenarios
---@field project? cekura.Id|cekura.null its project
---@field agent? cekura.Id|cekura.null its agent
---@field agents? cekura.Id[] the agents that a project's metric is for
---@field assistant_id? string its assistant, by the provider's id
---@field apply_to_all_agents? boolean of observability_dropoff: whether all agents of the project get its dropoff_nodes
---@field metric_description_program? any the advanced configuration of its description
---@field metric_description_variables? any[] the variables of that configuration
---@field evaluation_trigger_program? any the advanced configuration of its trigger
---@field evaluation_trigger_variables? any[] the variables of that configuration
---@field alert_enabled? boolean of a binary metric: whether a failure is an alert
---@field alert_type? cekura.metrics.update.alert_type which values are alerts
---@field alert_filters? any a filter of calls, as filters_v2 of calls.list: alerts are computed over these
---@field significant_change_alert_status? cekura.metrics.update.significant_change_alert_status whether a significant change is an alert
---@field significant_change_alert_direction? cekura.metrics.update.significant_change_alert_direction which changes: an empty text means both
---@field window_size? integer the number of values that a change is compared with
---@field std_multiplier? number the standard deviations that make a change significant
---@field ewma_alpha? number the weight of the newest value in the moving average
---@field slack_workspace? cekura.Id|cekura.null the Slack workspace of its alerts
---@field slack_channel_id? string|cekura.null the Slack channel of its alerts

---@alias cekura.metrics.run_reviews.type
---| "custom_code"
---| "llm_judge"

---@alias cekura.metrics.run_reviews.llm_provider
---| "openai"
---| "gemini"
---| "dspy-gepa-gemini-flash"
---| "deepseek-v4-flash"

---@alias cekura.metrics.run_reviews.trigger_type
---| "llm_judge"
---| "custom_code"

---@class (exact) cekura.metrics.run_reviews.Arguments
---@field metric_id cekura.Id the metric whose labels are scored
---@field description? string a draft that is scored in place of the metric's description
---@field type? cekura.metrics.run_reviews.type the type of the draft
---@field prompt? string the prompt of the draft
---@field custom_code? string the code of the draft, in Python
---@field llm_provider? cekura.metrics.run_reviews.llm_provider the provider of the judge
---@field evaluation_trigger? string the trigger of the draft: always, automatic or custom
---@field trigger_type? cekura.metrics.run_reviews.trigger_type whether its custom trigger is a prompt or code
---@field evaluation_trigger_prompt? string the prompt of its custom trigger
---@field evaluation_trigger_custom_code? string the code of its custom trigger, in Python
---@field metric_description_program? any the advanced configuration of its description
---@field metric_description_variables? any the variables of that configuration
---@field evaluation_trigger_program? any the advanced configuration of its trigger
---@field evaluation_trigger_variables? any the variables of that configuration
---@field skip_save? boolean true: the scores are returned, and not saved

---@class (exact) cekura.metrics.run_reviews_progress.Arguments
---@field progress_id string the id that run_reviews returned
---@field agent_id? cekura.Id the metric's agent, for a key that is limited to the agent
---@field project_id? cekura.Id the metric's project, for a key that is limited to the project
---@field assistant_id? string the metric's assistant, by the provider's id

---@class (exact) cekura.metrics.history.Arguments
---@field metric_id cekura.Id the metric
---@field page? integer the number of the page, from 1
---@field page_size? integer the number of items per page

---@class (exact) cekura.metrics.restore.Arguments
---@field metric_id cekura.Id the metric
---@field history_id cekura.Id the version, as metrics.history names it

---@class cekura.metrics
local metrics = {}

--- Reads a metric, with the labels of its Lab. metrics.list finds one by its slug.
---
--- `GET /test_framework/v2/metrics/{metric_id}/`
---@param arguments cekura.metrics.get.Arguments
---@param options? cekura.CallOptions
---@return cekura.Metric? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.metrics, arguments: cekura.metrics.get.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function metrics:get(arguments, options) end

--- Lists all metrics in one response.
---
--- `GET /test_framework/v2/metrics/`
---@param arguments cekura.metrics.list.Arguments
---@param options? cekura.CallOptions
---@return cekura.Metric[]? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.metrics, arguments: cekura.metrics.list.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function metrics:list(arguments, options) end

--- Changes the given fields of a metric, and no others.
---
--- `PATCH /test_framework/v2/metrics/{metric_id}/`
---@param arguments cekura.metrics.update.Arguments
---@param options? cekura.CallOptions
---@return cekura.Metric? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.metrics, arguments: cekura.metrics.update.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function metrics:update(arguments, options) end

--- Scores the labels of a metric's Lab with the metric or with a draft of it, in the background.
---
--- `POST /test_framework/v2/metrics/{metric_id}/run_reviews/`; spends credits
---@param arguments cekura.metrics.run_reviews.Arguments
---@param options? cekura.CallOptions
---@return { progress_id: string }? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.metrics, arguments: cekura.metrics.run_reviews.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function metrics:run_reviews(arguments, options) end

--- Reads the progress of run_reviews.
---
--- `GET /test_framework/v2/metrics/run_reviews_progress/`
---@param arguments cekura.metrics.run_reviews_progress.Arguments
---@param options? cekura.CallOptions
---@return cekura.ReviewProgress? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.metrics, arguments: cekura.metrics.run_reviews_progress.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function metrics:run_reviews_progress(arguments, options) end

--- Lists the versions of a metric, a page at a time.
---
--- `GET /test_framework/v2/metrics/{metric_id}/history/`
---@param arguments cekura.metrics.history.Arguments
---@param options? cekura.CallOptions
---@return cekura.MetricHistoryPage? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.metrics, arguments: cekura.metrics.history.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function metrics:history(arguments, options) end

--- Restores a version of a metric, which undoes later changes.
---
--- `POST /test_framework/v2/metrics/{metric_id}/restore/`
---@param arguments cekura.metrics.restore.Arguments
---@param options? cekura.CallOptions
---@return cekura.Metric? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.metrics, arguments: cekura.metrics.restore.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function metrics:restore(arguments, options) end

--- Waits until `run_reviews` has scored the labels. The fields of `output` are also fields of the value.
---@param arguments cekura.metrics.run_reviews_progress.Arguments `{ progress_id, agent_id?, project_id?, assistant_id? }`
---@param options? cekura.WaitOptions
---@return cekura.ReviewProgress? scores
---@return cekura.Response|cekura.Error response_or_err
function metrics:wait(arguments, options) end

---@class (exact) cekura.billing.info.Arguments
---@field organization_id? cekura.Id the organization; not needed with an organization's key

---@class cekura.billing
local billing = {}

--- Reads the balance; usage is up to 30 minutes late.
---
--- `GET /test_framework/billing/info/`
---@param arguments cekura.billing.info.Arguments
---@param options? cekura.CallOptions
---@return cekura.Billing? value
---@return cekura.Response|cekura.Error response_or_err
---@overload fun(self: cekura.billing, arguments: cekura.billing.info.Arguments, options: cekura.DryRunOptions): cekura.DryRun?, cekura.Error?
function billing:info(arguments, options) end

--- A client: settings, a key, and open connections.
---@class cekura.Client
---@field runs cekura.runs
---@field results cekura.results
---@field calls cekura.calls
---@field metric_reviews cekura.metric_reviews
---@field test_sets cekura.test_sets
---@field metrics cekura.metrics
---@field billing cekura.billing
---@field api_url string where its calls go
local Client = {}

--- Calls an endpoint that the client has no method for.
---@param arguments cekura.Request
---@param options? cekura.CallOptions
---@return any value
---@return cekura.Response|cekura.Error response_or_err
function Client:request(arguments, options) end

--- Returns what the calls of the client have spent, also once it is closed.
---@return cekura.Spent? spent
---@return cekura.Error? err
function Client:spent() end

--- Closes the connections and overwrites the key. A second call is a no-op.
function Client:close() end

--- Calls `fn(item, index)` with each item of the source, several at a time.
---@param source any[]|fun(): any a list, or an iterator function
---@param fn fun(item: any, index: integer): any, any fails by `return nil, err` or by raising
---@param options? cekura.EachOptions
---@return cekura.Report? report
---@return cekura.Error? err
function Client:each(source, fn, options) end

--- Returns a task that runs the function from the next step on.
---@param fn function
---@param ... any its arguments
---@return cekura.Task? task
---@return cekura.Error? err
function Client:spawn(fn, ...) end

--- Sleeps. In a task, other tasks continue meanwhile.
---@param seconds number
---@return boolean? done
---@return cekura.Error? err
function Client:sleep(seconds) end

--- Runs the tasks as far as they can continue.
---@param seconds? number how long to wait for something to do; default: 0
---@return boolean? left whether a task has not ended
---@return cekura.Error? err
function Client:step(seconds) end

--- Returns the one descriptor that a host's loop polls.
---@return integer? descriptor
---@return cekura.Error? err
function Client:pollfd() end

--- Returns the events to poll the descriptor for.
---@return string? events `"r"`
---@return cekura.Error? err
function Client:events() end

--- Returns the seconds until the next step is due.
---@return number? seconds nil: not before the descriptor is ready
---@return cekura.Error? err
function Client:timeout() end

--- A function that runs in a coroutine of its own, concurrently with others.
---@class cekura.Task
local Task = {}

--- Waits for the end of the task. Returns the results of its function, or nil and the error that it raised.
---@return any ...
function Task:wait() end

--- Cancels the task and its call, and closes its `<close>` variables.
---@return boolean ended false: it is the running task, or has ended
function Task:cancel() end

--- Ends the `client:sleep` of the task.
---@return boolean woken false: it was not sleeping
function Task:wake() end

--- Returns whether the task has ended.
---@return boolean ended
function Task:ended() end

--- Returns the maximum of `applied` over all calls that were made in the task.
---@return cekura.Applied applied
function Task:applied() end

---@class (exact) cekura.Field
---@field name string
---@field type "integer"|"number"|"string"|"boolean"|"array"|"object"|"any"
---@field items "integer"|"string"|"object"|"any"|nil of an array
---@field fields cekura.Field[]? of the objects in an array
---@field format "id"|"int32"|"date-time"|"json"|"selection"|nil of the value or its items
---@field required boolean
---@field nullable boolean
---@field enum string[]?
---@field minimum integer?
---@field min_length integer?
---@field max_length integer?
---@field min_items integer?
---@field max_items integer?
---@field place "path"|"query"|"body"
---@field description string

---@class (exact) cekura.Endpoint
---@field name string "runs.mark_metric_vote"
---@field resource string "runs"
---@field call string "mark_metric_vote"
---@field operation string its operationId in the API's documents
---@field method string
---@field path string
---@field summary string
---@field returns string
---@field spends_credits boolean
---@field idempotent boolean
---@field one_of string[]? exactly one of these fields must be given
---@field evaluations string[]? the product of these lists' lengths is what a call starts
---@field evaluations_at_least boolean that product is a lower bound
---@field range { from: string, to: string, days: integer }? the fields of a range of times
---@field partial boolean changes only the fields that are given; one besides the id is required
---@field fields cekura.Field[]

---@class cekura
---@field _VERSION string
---@field null cekura.null
---@field endpoints cekura.Endpoint[]|table<string, cekura.Endpoint> the contract, read-only
---@field runs cekura.runs
---@field results cekura.results
---@field calls cekura.calls
---@field metric_reviews cekura.metric_reviews
---@field test_sets cekura.test_sets
---@field metrics cekura.metrics
---@field billing cekura.billing
local cekura = {}

--- Returns a client. Nothing is sent and no connection is opened.
---@param options? cekura.Options
---@return cekura.Client? client
---@return cekura.Error? err
function cekura.new(options) end

--- Marks a table as a JSON array, so that an empty one is sent as `[]`, not as `{}`.
---@param list table
---@return table list the same table
function cekura.array(list) end

--- Iterates over a list in slices: `for slice in cekura.chunks(ids, 100)`.
---@param list any[] a list without holes
---@param size integer items per slice, at least 1
---@return fun(): any[]? next a new table each time
function cekura.chunks(list, size) end

--- Returns what each metric says of a run or a call log, in whichever way the API encodes it.
---@param call cekura.Run|cekura.CallLog as the client returned it
---@return cekura.MetricValue[] values empty if it has not been evaluated
function cekura.values(call) end

--- Returns how many metric evaluations a call would start, and an estimate of their price. Makes calls that only read.
---@param client cekura.Client|cekura
---@param endpoint string of `cekura.endpoints`: `"results.evaluate_metrics"`
---@param arguments table those of the call; a wrong one gives the same error
---@return cekura.Estimate? estimate
---@return cekura.Error? err
function cekura.estimate(client, endpoint, arguments) end

--- Calls an endpoint that the client has no method for.
---@param arguments cekura.Request
---@param options? cekura.CallOptions
---@return any value
---@return cekura.Response|cekura.Error response_or_err
function cekura:request(arguments, options) end

--- Returns what the calls of the client have spent, also once it is closed.
---@return cekura.Spent? spent
---@return cekura.Error? err
function cekura:spent() end

--- Calls `fn(item, index)` with each item of the source, several at a time.
---@param source any[]|fun(): any a list, or an iterator function
---@param fn fun(item: any, index: integer): any, any fails by `return nil, err` or by raising
---@param options? cekura.EachOptions
---@return cekura.Report? report
---@return cekura.Error? err
function cekura:each(source, fn, options) end

--- Returns a task that runs the function from the next step on.
---@param fn function
---@param ... any its arguments
---@return cekura.Task? task
---@return cekura.Error? err
function cekura:spawn(fn, ...) end

--- Sleeps. In a task, other tasks continue meanwhile.
---@param seconds number
---@return boolean? done
---@return cekura.Error? err
function cekura:sleep(seconds) end

--- Runs the tasks as far as they can continue.
---@param seconds? number how long to wait for something to do; default: 0
---@return boolean? left whether a task has not ended
---@return cekura.Error? err
function cekura:step(seconds) end

--- Returns the one descriptor that a host's loop polls.
---@return integer? descriptor
---@return cekura.Error? err
function cekura:pollfd() end

--- Returns the events to poll the descriptor for.
---@return string? events `"r"`
---@return cekura.Error? err
function cekura:events() end

--- Returns the seconds until the next step is due.
---@return number? seconds nil: not before the descriptor is ready
---@return cekura.Error? err
function cekura:timeout() end

return cekura
