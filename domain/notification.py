"""Notifications, the messages that carry them, and the delivery results."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain.observation import Details, SectionStatus
from domain.section import SectionKey
from domain.watch import NotificationKind

MAIL = "mail"
"""The name of the mail channel, its breaker and its pause."""


class NotificationState(StrEnum):
    """State of a notification, from detected to delivered."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    SUPPRESSED = "suppressed"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification to one person: the facts at the time of the observation.

    Shape: unique by (`watch_id`, `kind`, `episode`). Seats and waitlist are as in an `Observation`; None is
    unknown. `ended_watches` counts the person's watches that ended with their term; 0 if only the section is
    concerned. `course_watch_id` is the watch of a course that made the watch, None if a person did.
    """

    id: int
    watch_id: int
    email: str
    kind: NotificationKind
    key: SectionKey
    episode: int
    observed_at: datetime
    open_seats: int | None
    capacity: int | None
    instructor: str | None
    details: Details = Details()
    ended_watches: int = 0
    status: SectionStatus | None = None
    is_counted: bool = True
    unreserved_seats: int | None = None
    waitlist_places: int | None = None
    waitlist_length: int | None = None
    as_of: datetime | None = None
    course_watch_id: int | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file attached to a message."""

    name: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """A completely rendered mail; every attempt sends the same bytes.

    Shape: `headers` holds `Message-ID`; for a notification also `List-Unsubscribe`, `List-Unsubscribe-Post`
    and `X-Rollcall-Event`.
    """

    sender: str
    to: str
    subject: str
    text: str
    html: str
    headers: dict[str, str]
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The transport accepted the message; `provider_id` identifies it in later events.

    Shape: `answer` is the reply of a transport that gives no id of its own; for display.
    """

    provider_id: str
    answer: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.provider_id} ({self.answer})" if self.answer else self.provider_id


@dataclass(frozen=True, slots=True)
class Rejected:
    """The transport will never accept this message; `reason` says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """The transport works but did not accept this message yet: the reason, and the wait it asked for."""

    reason: str
    retry_after_seconds: float | None = None


DeliveryResult = Accepted | Rejected | Deferred
