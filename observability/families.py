"""What the processes count in memory, by Prometheus' conventions. docs/metrics.md explains each."""

from __future__ import annotations

from observability.tally import Counter, Histogram

_WORK_SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_WAIT_SECONDS = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0)
_MAIL_SECONDS = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)

MESSAGES = Counter("rollcall_messages", "Messages that were worked on, every attempt counted", ("actor",))
ERRORS = Counter("rollcall_message_errors", "Attempts that ended with an exception", ("actor",))
RETRIES = Counter(
    "rollcall_message_retries", "Failed messages that were put off for another attempt", ("actor",)
)
REJECTED = Counter("rollcall_messages_rejected", "Messages given up: put with the dead letters", ("actor",))
DURATION = Histogram(
    "rollcall_message_duration_seconds", "How long an attempt took", ("actor",), _WORK_SECONDS
)
WAIT = Histogram(
    "rollcall_message_wait_seconds",
    "From when a message was due to when it was begun",
    ("queue",),
    _WAIT_SECONDS,
)
CHECKS = Counter("rollcall_checks", "Sections asked of a source, by what it said", ("source", "outcome"))
ANSWER = Histogram(
    "rollcall_source_answer_seconds",
    "How long a source took to answer for a section",
    ("source",),
    _WORK_SECONDS,
)
CHANGES = Counter("rollcall_changes", "Sections that changed", ("source",))
MAILS = Counter("rollcall_mails", "Mails, by what became of them", ("outcome",))
DETECT_TO_MAIL = Histogram(
    "rollcall_detect_to_mail_seconds",
    "From the observation of a change to the mail that tells of it being taken by the transport",
    (),
    _MAIL_SECONDS,
)
TRANSITIONS = Counter("rollcall_breaker_transitions", "Changes of a breaker's state", ("breaker", "to"))
REFUSED = Counter(
    "rollcall_requests_refused",
    "HTTP requests refused because too many of their class were in hand",
    ("class",),
)
STARTS = Counter("rollcall_process_starts", "Processes that were started", ("role",))
CPU = Counter(
    "rollcall_process_cpu_seconds", "CPU time of all processes of a role", ("role",), is_seconds=True
)

BREAKER_STATES = ("closed", "half_open", "open")

COUNTERS = (MESSAGES, ERRORS, RETRIES, REJECTED, CHECKS, CHANGES, MAILS, TRANSITIONS, REFUSED, STARTS, CPU)
HISTOGRAMS = (DURATION, WAIT, ANSWER, DETECT_TO_MAIL)
BREAKER_STATES = ("closed", "half_open", "open")
UNKNOWN_ACTOR = "unknown"  # one that this release does not have: anybody's text must not become a label
