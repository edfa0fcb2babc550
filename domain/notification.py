"""Notifications, the messages that carry them, and the delivery results."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain.observation import Details
from domain.section import SectionKey
from domain.watch import NotificationKind

MAIL = "mail"
"""The name of mail as a channel: of its breaker and its pause."""


class NotificationState(StrEnum):
    """Where a notification is on its way from detected to delivered."""

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
    """What one person is to be told: the facts as they were when the change was seen.

    Shape: unique by (`watch_id`, `kind`, `episode`). `open_seats` and `capacity` are None where unknown.
    `ended_watches` counts the watches of the person that ended with their term; 0 where it is about the
    section alone.
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


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a letter carries."""

    name: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """A rendered mail, complete: the same letter always leaves with the same bytes.

    Shape: `headers` holds `Message-ID`; of a notice also `List-Unsubscribe`, `List-Unsubscribe-Post` and
    `X-Rollcall-Event`.
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
    """The transport took the letter; `provider_id` names it in later events.

    Shape: `answer` is what a transport said that gives no id of its own; for people to read.
    """

    provider_id: str
    answer: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.provider_id} ({self.answer})" if self.answer else self.provider_id


@dataclass(frozen=True, slots=True)
class Rejected:
    """The transport will never take this letter, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """The transport works and did not take this letter; it may later. Why, and the wait that it named."""

    reason: str
    retry_after_seconds: float | None = None


DeliveryResult = Accepted | Rejected | Deferred
