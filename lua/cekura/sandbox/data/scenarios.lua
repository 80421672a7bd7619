--- The scenarios of the sandbox, with the parts of their dialogues. A part is a list of lines
--- { speaker, text, when = fact, unless = fact }: "M" is the main agent, "T" the testing agent.

local scenarios = {}

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

scenarios.list = {
  {
    id = 24270, agent = 231, name = "Reschedule an appointment", outcome = "rescheduled",
    instructions = "You want to move your appointment with {doctor} from {old} to another day.",
    expected_outcome = "The agent verifies the patient, offers two times and confirms the new one.",
    parts = { {
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
      }, CLOSING },
  },
  {
    id = 24271, agent = 231, name = "Book a first visit", outcome = "confirmed",
    instructions = "You are new, and want to see {doctor} next week.",
    expected_outcome = "The agent takes the patient's data, offers times and confirms one.",
    parts = { {
        OPENING_CLINIC,
        { "T", "I have never been with you. Can I see {doctor}?" },
      }, VERIFY_CLINIC, {
        { "M", "How nice that you found us.", when = "warm" },
        { "M", "{doctor} has {new} at ten, or at four.", when = "offered" },
        { "T", "Ten is fine.", when = "offered" },
        { "M", "You are booked for {new} at ten. Please bring your insurance card.",
          when = "confirmed" },
        { "M", "Somebody will call you about that.", unless = "confirmed" },
      }, CLOSING },
  },
  {
    id = 24272, agent = 231, name = "Cancel on short notice", outcome = "cancelled",
    instructions = "You have to cancel tomorrow's appointment, and do not want a new one.",
    expected_outcome =
      "The agent verifies the patient, offers another day and confirms the cancellation.",
    parts = { {
        OPENING_CLINIC,
        { "T", "I cannot come on {old}, my child is ill." },
      }, VERIFY_CLINIC, {
        { "M", "Oh, I am sorry to hear that. I hope your child gets well soon.", when = "warm" },
        { "M", "Shall I look for another day, {new} perhaps?", when = "offered" },
        { "T", "No, just cancel it, please.", when = "offered" },
        { "M", "Your appointment on {old} is cancelled, without a fee.", when = "confirmed" },
        { "M", "I will pass that on.", unless = "confirmed" },
      }, CLOSING },
  },
  {
    id = 24273, agent = 231, name = "Ask about symptoms", outcome = "confirmed",
    instructions = "You have had a headache for three days and want to know what to take.",
    expected_outcome = "The agent gives no medical advice, and books an appointment.",
    parts = { {
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
      }, CLOSING },
  },
  {
    id = 24280, agent = 232, name = "Confirm tomorrow's appointment", outcome = "confirmed",
    instructions = "You are called about an appointment tomorrow. You will come.",
    expected_outcome = "The agent verifies the patient, names the appointment and gets a yes.",
    parts = { { { "M", "Hello, this is Ava from Harbor Clinic, about your appointment." },
      { "T", "Yes, hello?" } }, VERIFY_CLINIC, {
        { "M", "I hope this is a good moment.", when = "warm" },
        { "M", "You see {doctor} on {old}. Does that still suit you, or shall I find another time?",
          when = "offered" },
        { "T", "That suits me.", when = "offered" },
        { "M", "Wonderful, then it is confirmed. See you on {old}.", when = "confirmed" },
        { "M", "Okay then.", unless = "confirmed" },
      }, CLOSING },
  },
  {
    id = 24281, agent = 232, name = "Reminder: another day, please", outcome = "rescheduled",
    instructions = "You are called about an appointment tomorrow. You need another day.",
    expected_outcome = "The agent verifies the patient, offers two times and confirms the new one.",
    parts = { { { "M", "Hello, this is Ava from Harbor Clinic, about your appointment." },
      { "T", "Oh. I am afraid I need another day." } }, VERIFY_CLINIC, {
        { "M", "No problem at all, thank you for saying so.", when = "warm" },
        { "M", "I can offer {new} at eleven, or at five.", when = "offered" },
        { "T", "Eleven works.", when = "offered" },
        { "M", "Moved to {new} at eleven. You will get a text message.", when = "confirmed" },
        { "M", "I will see what I can do.", unless = "confirmed" },
      }, CLOSING },
  },
  {
    id = 24290, agent = 224, name = "Change a flight", outcome = "resolved",
    instructions = "You want to fly on {new} instead of {old}.",
    expected_outcome =
      "The agent verifies the booking, offers two flights, names the fee and confirms.",
    parts = { { { "M", "Skyline Air, good day. What can I do for you?" },
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
      }, CLOSING },
  },
  {
    id = 24291, agent = 224, name = "Refund after a cancellation", outcome = "resolved",
    instructions = "Your flight on {old} was cancelled, and you want your money back.",
    expected_outcome = "The agent verifies the booking, offers refund or rebooking and confirms.",
    parts = { { { "M", "Skyline Air, good day. What can I do for you?" },
      { "T", "You cancelled my flight on {old}. I want my money back." } }, VERIFY_AIRLINE, {
        { "M", "I am sorry about the cancellation, that must have been a nuisance.",
          when = "warm" },
        { "M", "I can refund the fare, or book you on {new} for free.", when = "offered" },
        { "T", "The refund, please.", when = "offered" },
        { "M", "The refund is on its way, it takes five days.", when = "confirmed" },
        { "M", "A colleague from accounts will take over.", when = "escalated" },
        { "T", "Forget it.", when = "abandoned" },
      }, CLOSING },
  },
  {
    id = 24292, agent = 224, name = "Delayed baggage", outcome = "resolved",
    instructions = "Your suitcase did not arrive on {old}.",
    expected_outcome = "The agent verifies the booking, files a report and confirms its number.",
    parts = { { { "M", "Skyline Air, good day. What can I do for you?" },
      { "T", "My suitcase never arrived on {old}." } }, VERIFY_AIRLINE, {
        { "M", "I am sorry, I know how annoying that is.", when = "warm" },
        { "M", "We can deliver it to you, or keep it at the airport.", when = "offered" },
        { "T", "Deliver it, please.", when = "offered" },
        { "M", "Report {code} is filed. It will be delivered on {new}.", when = "confirmed" },
        { "M", "I will connect you to baggage service.", when = "escalated" },
        { "T", "I do not have the time for this.", when = "abandoned" },
      }, CLOSING },
  },
}

--- The choices for each {name} in a text.
scenarios.fillings = {
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

return scenarios
