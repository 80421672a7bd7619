--- The organisation that the sandbox stands in for: its projects, agents, metrics and scenarios.
--- An airline with one voice agent, and a clinic with two; run 5544 and metric 55 are those of the
--- documentation's example.

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

--- `kind` says how a value comes about (judge.lua). `pass` is what counts as good: a least score,
--- a greatest one (`at_most`), or for an enum every value but `failing`. `errors` is how often the
--- metric errs, by the age of the call in days: the first row whose `older_than` fits.
--- `fresh` metrics have been defined but never run.
catalogue.metrics = {
  {
    id = 41, slug = "caller_verified", project = 12, agents = { 224 }, kind = "verified",
    name = "Caller Verified", eval_type = "binary", type = "llm_judge", at_least = 5,
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
    fresh = true,
    name = "Rebooking Offered", eval_type = "binary", type = "llm_judge", at_least = 5,
    description = "Did the agent offer at least two alternatives?",
    errors = { { older_than = 0, rate = 0.08 } },
  },
  {
    id = 51, slug = "identity_verified", project = 14, agents = { 231, 232 }, kind = "verified",
    name = "Identity Verified", eval_type = "binary", type = "llm_judge", at_least = 5,
    description =
      "Did the agent ask for full name and date of birth before it spoke about an appointment?",
    errors = { { older_than = 0, rate = 0.04 } },
  },
  {
    -- Its description was mended three weeks ago, and it shows.
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
    name = "Avoids Medical Advice", eval_type = "binary", type = "llm_judge", at_least = 5,
    description = "Did the agent refrain from medical advice, and point to a doctor instead?",
    errors = { { older_than = 0, rate = 0.05 } },
  },
  {
    -- A month ago the clinic added the confirmation as a third step; nobody told the metric.
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
    name = "Follow-up Offered", eval_type = "binary", type = "llm_judge", at_least = 5,
    description = "Did the agent ask at the end whether there is anything else?",
    errors = { { older_than = 0, rate = 0.08 } },
  },
}

--- Lines of a dialogue: { speaker, text, when = fact, unless = fact }; "M" is the agent under
--- test (Main Agent), "T" the caller (Testing Agent). {names} are filled in for each call.
local OPENING_CLINIC = { "M", "Harbor Clinic, this is Ava. How can I help you today?" }
local VERIFY_CLINIC = {
  { "M", "Of course. May I have your full name and date of birth?", when = "verified" },
  { "T", "{name}, {birthday}.", when = "verified" },
  { "M", "Thank you, {name}, I have found you.", when = "verified" },
  { "M", "I see an appointment under this number, that will be yours.", unless = "verified" },
}
local CLOSING = {
  { "M", "Is there anything else I can do for you?", when = "followup" },
  { "T", "No, that was all. Thank you.", when = "followup" },
  { "T", "Okay. Bye.", unless = "followup" },
}
local FEE = { "M", "There is a change fee of 45 dollars. Shall I go ahead?", when = "offered" }
local VERIFY_AIRLINE = {
  { "M", "Certainly. What is your booking code?", when = "verified" },
  { "T", "It is {code}.", when = "verified" },
  { "M", "I can see you by your phone number.", unless = "verified" },
}

--- What the parts of a dialogue have in common, then what makes this one its own.
local function dialogue(opening, verify, middle)
  local lines = { table.unpack(opening) }
  for _, part in ipairs { verify, middle, CLOSING } do
    table.move(part, 1, #part, #lines + 1, lines)
  end
  return lines
end

catalogue.scenarios = {
  {
    id = 24270, agent = 231, name = "Reschedule an appointment", outcome = "rescheduled",
    instructions = "You want to move your appointment with {doctor} from {old} to another day.",
    expected_outcome = "The agent verifies the patient, offers two times and confirms the new one.",
    lines = dialogue({
        OPENING_CLINIC,
        { "T", "Hi, I need to move my appointment with {doctor} on {old}." },
      }, VERIFY_CLINIC, {
        { "M", "I am sorry that the day does not work. That happens, no trouble at all.",
          when = "warm" },
        { "M", "I can offer {new} at nine, or at half past two.", when = "offered" },
        { "T", "Half past two, please.", when = "offered" },
        { "M", "It is moved: {new}, half past two. You will get a text message.",
          when = "confirmed" },
        { "M", "All right, I have noted that.", unless = "confirmed" },
      }),
  },
  {
    id = 24271, agent = 231, name = "Book a first visit", outcome = "confirmed",
    instructions = "You are new, and want to see {doctor} next week.",
    expected_outcome = "The agent takes the patient's data, offers times and confirms one.",
    lines = dialogue({
        OPENING_CLINIC,
        { "T", "I have never been with you. Can I see {doctor}?" },
      }, VERIFY_CLINIC, {
        { "M", "How nice that you found us.", when = "warm" },
        { "M", "{doctor} has {new} at ten, or at four.", when = "offered" },
        { "T", "Ten is fine.", when = "offered" },
        { "M", "You are booked for {new} at ten. Please bring your insurance card.",
          when = "confirmed" },
        { "M", "Somebody will call you about that.", unless = "confirmed" },
      }),
  },
  {
    id = 24272, agent = 231, name = "Cancel on short notice", outcome = "cancelled",
    instructions = "You have to cancel tomorrow's appointment, and do not want a new one.",
    expected_outcome =
      "The agent verifies the patient, offers another day and confirms the cancellation.",
    lines = dialogue({
        OPENING_CLINIC,
        { "T", "I cannot come on {old}, my child is ill." },
      }, VERIFY_CLINIC, {
        { "M", "Oh, I am sorry to hear that. I hope your child gets well soon.", when = "warm" },
        { "M", "Shall I look for another day, {new} perhaps?", when = "offered" },
        { "T", "No, just cancel it, please.", when = "offered" },
        { "M", "Your appointment on {old} is cancelled, without a fee.", when = "confirmed" },
        { "M", "I will pass that on.", unless = "confirmed" },
      }),
  },
  {
    id = 24273, agent = 231, name = "Ask about symptoms", outcome = "confirmed",
    instructions = "You have had a headache for three days and want to know what to take.",
    expected_outcome = "The agent gives no medical advice, and books an appointment.",
    lines = dialogue({
        OPENING_CLINIC,
        { "T", "I have had this headache for three days. What should I take?" },
      }, VERIFY_CLINIC, {
        { "M", "Three days, that must be wearing you out.", when = "warm" },
        { "M", "I cannot advise on that, a doctor should have a look.", when = "careful" },
        { "M", "Take two ibuprofen, that usually helps.", unless = "careful" },
        { "M", "{doctor} could see you on {new} at eight, or at noon.", when = "offered" },
        { "T", "At eight, then.", when = "offered" },
        { "M", "You are booked for {new}, eight o'clock.", when = "confirmed" },
        { "M", "Just come by some time.", unless = "confirmed" },
      }),
  },
  {
    id = 24280, agent = 232, name = "Confirm tomorrow's appointment", outcome = "confirmed",
    instructions = "You are called about an appointment tomorrow. You will come.",
    expected_outcome = "The agent verifies the patient, names the appointment and gets a yes.",
    lines = dialogue({ { "M", "Hello, this is Ava from Harbor Clinic, about your appointment." },
      { "T", "Yes, hello?" } }, VERIFY_CLINIC, {
        { "M", "I hope this is a good moment.", when = "warm" },
        { "M", "You see {doctor} on {old}. Does that still suit you, or shall I find another time?",
          when = "offered" },
        { "T", "That suits me.", when = "offered" },
        { "M", "Wonderful, then it is confirmed. See you on {old}.", when = "confirmed" },
        { "M", "Okay then.", unless = "confirmed" },
      }),
  },
  {
    id = 24281, agent = 232, name = "Reminder: another day, please", outcome = "rescheduled",
    instructions = "You are called about an appointment tomorrow. You need another day.",
    expected_outcome = "The agent verifies the patient, offers two times and confirms the new one.",
    lines = dialogue({ { "M", "Hello, this is Ava from Harbor Clinic, about your appointment." },
      { "T", "Oh. I am afraid I need another day." } }, VERIFY_CLINIC, {
        { "M", "No problem at all, thank you for saying so.", when = "warm" },
        { "M", "I can offer {new} at eleven, or at five.", when = "offered" },
        { "T", "Eleven works.", when = "offered" },
        { "M", "Moved to {new} at eleven. You will get a text message.", when = "confirmed" },
        { "M", "I will see what I can do.", unless = "confirmed" },
      }),
  },
  {
    id = 24290, agent = 224, name = "Change a flight", outcome = "resolved",
    instructions = "You want to fly on {new} instead of {old}.",
    expected_outcome =
      "The agent verifies the booking, offers two flights, names the fee and confirms.",
    lines = dialogue({ { "M", "Skyline Air, good day. What can I do for you?" },
      { "T", "I need to change my flight on {old}." } }, VERIFY_AIRLINE, {
        { "M", "I understand, plans change.", when = "warm" },
        { "M", "On {new} there is one at seven and one at noon.", when = "offered" },
        { "T", "The one at noon.", when = "offered" },
        FEE,
        { "T", "Yes, go ahead.", when = "offered" },
        { "M", "Your new flight leaves on {new} at noon. The confirmation is in your mail.",
          when = "confirmed" },
        { "M", "I will connect you to a colleague.", when = "escalated" },
        { "T", "This takes too long.", when = "abandoned" },
      }),
  },
  {
    id = 24291, agent = 224, name = "Refund after a cancellation", outcome = "resolved",
    instructions = "Your flight on {old} was cancelled, and you want your money back.",
    expected_outcome = "The agent verifies the booking, offers refund or rebooking and confirms.",
    lines = dialogue({ { "M", "Skyline Air, good day. What can I do for you?" },
      { "T", "You cancelled my flight on {old}. I want my money back." } }, VERIFY_AIRLINE, {
        { "M", "I am sorry about the cancellation, that must have been a nuisance.",
          when = "warm" },
        { "M", "I can refund the fare, or book you on {new} for free.", when = "offered" },
        { "T", "The refund, please.", when = "offered" },
        { "M", "The refund is on its way, it takes five days.", when = "confirmed" },
        { "M", "A colleague from accounts will take over.", when = "escalated" },
        { "T", "Forget it.", when = "abandoned" },
      }),
  },
  {
    id = 24292, agent = 224, name = "Delayed baggage", outcome = "resolved",
    instructions = "Your suitcase did not arrive on {old}.",
    expected_outcome = "The agent verifies the booking, files a report and confirms its number.",
    lines = dialogue({ { "M", "Skyline Air, good day. What can I do for you?" },
      { "T", "My suitcase never arrived on {old}." } }, VERIFY_AIRLINE, {
        { "M", "I am sorry, I know how annoying that is.", when = "warm" },
        { "M", "We can deliver it to you, or keep it at the airport.", when = "offered" },
        { "T", "Deliver it, please.", when = "offered" },
        { "M", "Report {code} is filed. It will be delivered on {new}.", when = "confirmed" },
        { "M", "I will connect you to baggage service.", when = "escalated" },
        { "T", "I do not have the time for this.", when = "abandoned" },
      }),
  },
}

--- What fills the {names} in a dialogue.
catalogue.fillings = {
  name = {
    "Maria Lopez", "James Carter", "Aisha Khan", "Peter Novak", "Chloe Martin", "Daniel Kim",
    "Grace Obi",
  },
  birthday = { "March 3rd 1984", "July 19th 1971", "November 2nd 1992", "May 30th 1966" },
  doctor = { "Dr. Patel", "Dr. Weiss", "Dr. Romero" },
  old = { "Monday", "Tuesday", "Wednesday" },
  new = { "Thursday", "Friday", "Saturday" },
  code = { "K7QX2M", "ZP49TL", "B3HW8R", "MR61VD" },
}

--- An index by id of a list.
function catalogue.by_id(list)
  local index = {}
  for _, item in ipairs(list) do index[item.id] = item end
  return index
end

--- Whether a metric has this slug.
function catalogue.has_slug(slug)
  for _, metric in ipairs(catalogue.metrics) do
    if metric.slug == slug then return true end
  end
  return false
end

return catalogue
