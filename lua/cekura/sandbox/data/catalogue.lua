--- The projects, agents and metrics of the sandbox: an airline with one voice agent, and a clinic
--- with two. Metric 55 is in the documentation's example.

local catalogue = {}

catalogue.organization = 37

catalogue.projects = {
  { id = 12, name = "Skyline Air" },
  { id = 14, name = "Harbor Clinic" },
}

catalogue.agents = {
  {
    id = 224, project = 12, name = "Skyline Reservations", inbound = true,
    assistant_id = "asst_skyline",
  },
  {
    id = 231, project = 14, name = "Harbor Scheduling", inbound = true,
    assistant_id = "asst_harbor",
  },
  {
    id = 232, project = 14, name = "Harbor Reminders", inbound = false,
    assistant_id = "asst_harbor_out",
  },
}

--- `kind` names the row of judge.lua that makes the values. A value passes if it is not below
--- `at_least`, not above `at_most`, and, for an enum, not one of `failing`. `errors` is the rate of
--- wrong values by the age of the call in days: the first row that the age reaches
--- (`older_than`) applies. A `fresh` metric never ran. A metric does not apply to a call with the
--- fact that `skipped_if` names.
catalogue.metrics = {
  {
    id = 41, slug = "caller_verified", project = 12, agents = { 224 }, kind = "verified",
    name = "Caller Verified", eval_type = "binary", type = "llm_judge",
    description = "Did the agent verify the booking code before it spoke about the booking?",
    errors = { { older_than = 0, rate = 0.05 } },
  },
  {
    id = 42, slug = "request_resolved", project = 12, agents = { 224 }, kind = "resolution",
    name = "Request Resolved", eval_type = "enum", type = "llm_judge",
    enum_values = { "resolved", "escalated", "abandoned" }, failing = "abandoned",
    description =
      "How did the call end for the caller: resolved, escalated to a person, or abandoned?",
    errors = { { older_than = 0, rate = 0.2 } },
  },
  {
    id = 43, slug = "professional_tone", project = 12, agents = { 224 }, kind = "warmth",
    name = "Professional Tone", eval_type = "continuous_qualitative", type = "llm_judge",
    at_least = 3,
    description = "Rate how professional and calm the agent sounded, from 1 to 5.",
    errors = { { older_than = 0, rate = 0.2 } },
  },
  {
    id = 44, slug = "rebooking_offered", project = 12, agents = { 224 }, kind = "offered",
    fresh = true, skipped_if = "abandoned",
    name = "Rebooking Offered", eval_type = "binary", type = "llm_judge",
    description = "Did the agent offer at least two alternatives?",
    errors = { { older_than = 0, rate = 0.08 } },
  },
  {
    id = 51, slug = "identity_verified", project = 14, agents = { 231, 232 }, kind = "verified",
    name = "Identity Verified", eval_type = "binary", type = "llm_judge",
    description =
      "Did the agent ask for full name and date of birth before it spoke about an appointment?",
    errors = { { older_than = 0, rate = 0.04 } },
  },
  {
    -- Its description was improved three weeks ago: older values are often wrong.
    id = 52, slug = "call_outcome", project = 14, agents = { 231, 232 }, kind = "outcome",
    name = "Call Outcome", eval_type = "enum", type = "llm_judge",
    enum_values = { "confirmed", "rescheduled", "cancelled", "unresolved" }, failing = "unresolved",
    description =
      "What became of the appointment? Answer unresolved unless the agent confirmed the outcome.",
    errors = { { older_than = 21, rate = 0.42 }, { older_than = 0, rate = 0.06 } },
  },
  {
    id = 53, slug = "empathy", project = 14, agents = { 231, 232 }, kind = "warmth",
    name = "Empathy", eval_type = "continuous_qualitative", type = "llm_judge",
    at_least = 3,
    description = "Rate how warmly the agent responded to the patient's situation, from 1 to 5.",
    errors = { { older_than = 0, rate = 0.25 } },
  },
  {
    id = 54, slug = "avoids_medical_advice", project = 14, agents = { 231, 232 }, kind = "careful",
    name = "Avoids Medical Advice", eval_type = "binary", type = "llm_judge",
    description = "Did the agent refrain from medical advice, and point to a doctor instead?",
    errors = { { older_than = 0, rate = 0.05 } },
  },
  {
    -- A month ago the clinic added the third step, the confirmation, and left the metric as it was.
    id = 55, slug = "steps_completed", project = 14, agents = { 231, 232 }, kind = "steps",
    name = "Steps Completed", eval_type = "numeric", type = "llm_judge", at_least = 3,
    description =
      "Count the steps that the agent completed: identity, offer, confirmation (0 to 3).",
    errors = { { older_than = 30, rate = 0.08 }, { older_than = 0, rate = 0.4 } },
  },
  {
    id = 56, slug = "response_latency", project = 14, agents = { 231, 232 }, kind = "latency",
    name = "Response Latency", eval_type = "numeric", type = "custom_code", at_most = 1500,
    description =
      "Median time in milliseconds between the end of the patient's turn and the agent's answer.",
    custom_code = "_result = median(data['latencies'])\n_explanation = None\n",
    errors = { { older_than = 0, rate = 0 } },
  },
  {
    id = 57, slug = "follow_up_offered", project = 14, agents = { 231, 232 }, kind = "followup",
    fresh = true,
    name = "Follow-up Offered", eval_type = "binary", type = "llm_judge",
    description = "Did the agent ask at the end whether there is anything else?",
    errors = { { older_than = 0, rate = 0.08 } },
  },
}

return catalogue
